"""What the ledger asks of the rows in `crm7.s_shipment_addr`, and writes into them. Read `ledger` first."""

from __future__ import annotations

from sqlalchemy import text

# The lock stays: whoever had it may still learn what became of the mail.
DOUBT_OTHERS = text("""
UPDATE crm7.s_shipment_addr SET bounce_reason = :in_doubt
 WHERE shipment_id = :shipment_id AND status = :unknown AND bounce_reason = :on_its_way AND owner_lock <> :lock
""")
DOUBTFUL = text("""
SELECT name, address FROM crm7.s_shipment_addr
 WHERE shipment_id = :shipment_id AND status = :unknown AND bounce_reason = :in_doubt ORDER BY id
""")
DOUBT = text("""
UPDATE crm7.s_shipment_addr SET bounce_reason = :in_doubt
 WHERE id = :id AND owner_lock = :lock AND status = :unknown
""")
RELEASE = text("""
UPDATE crm7.s_shipment_addr SET owner_lock = NULL
 WHERE shipment_id = :shipment_id AND status = :ready AND owner_lock <> :lock
""")
TAKE = text("""
UPDATE crm7.s_shipment_addr SET owner_lock = :lock
 WHERE id IN (SELECT id FROM crm7.s_shipment_addr
               WHERE shipment_id = :shipment_id AND status = :ready AND owner_lock IS NULL
                 AND (sending_time IS NULL OR sending_time <= localtimestamp)
               ORDER BY id LIMIT :taken)
RETURNING id, contact_id, customer_id AS person_id, name, address
""")
INTEND = text("""
UPDATE crm7.s_shipment_addr SET status = :unknown, bounce_code = NULL, bounce_reason = :on_its_way,
       timestamp = extract(epoch FROM now())::integer, sending_time = localtimestamp
 WHERE id = :id AND owner_lock = :lock
   AND (status = :ready OR status = :unknown AND bounce_reason = :on_its_way)
""")
# By the lock alone: that a mail was sent is true whatever another attempt believed meanwhile.
SENT = text("""
UPDATE crm7.s_shipment_addr SET status = :sent, sending_time = localtimestamp, bounce_code = NULL,
       bounce_reason = NULL
 WHERE id = :id AND owner_lock = :lock
""")
REFUSED = text("""
UPDATE crm7.s_shipment_addr SET status = :status, bounce_code = :code, bounce_reason = :reason
 WHERE id = :id AND owner_lock = :lock AND status <> :status
""")
PUT_OFF = text("""
UPDATE crm7.s_shipment_addr SET status = :ready, timestamp = NULL, owner_lock = NULL, bounce_code = :code,
       bounce_reason = :reason, sending_time = localtimestamp + :seconds * interval '1 second'
 WHERE id = :id AND owner_lock = :lock
""")
ADDRESS_SENT = text("""
UPDATE crm7.email SET lastsent = localtimestamp
 WHERE email_address = :address AND (person_id = :person_id OR contact_id = :contact_id)
""")
ADDRESS_BOUNCED = text("""
UPDATE crm7.email SET bouncecount = coalesce(bouncecount, 0) + 1, lastbounce = localtimestamp, lastbouncecode = :code,
       lastbouncereason = :reason
 WHERE email_address = :address AND (person_id = :person_id OR contact_id = :contact_id)
""")
WAITING = text("""
SELECT count(*) AS count, coalesce(extract(epoch FROM max(sending_time) - localtimestamp), 0)::float AS seconds
  FROM crm7.s_shipment_addr WHERE shipment_id = :shipment_id AND status = :ready
""")
SINCE_LAST = text("""
SELECT extract(epoch FROM localtimestamp - max(sending_time))::float FROM crm7.s_shipment_addr
 WHERE shipment_id = :shipment_id AND timestamp IS NOT NULL
""")
TALLY = text("""
SELECT status, coalesce(bounce_reason, ''), count(*) FROM crm7.s_shipment_addr
 WHERE shipment_id = :shipment_id GROUP BY 1, 2
""")
SET_STATUS = text("""
UPDATE crm7.s_shipment SET status = :status, updated = now(), updatedcount = coalesce(updatedcount, 0) + 1,
       end_date = CASE WHEN :ended THEN localtimestamp END, actual_time = localtimestamp,
       sent_num = t.sent, actual_count = t.sent, delivered_num = t.sent, hardbounce_num = t.hard,
       softbounce_num = t.soft, totalbounce_num = t.hard + t.soft,
       hardbounce_rate = 100.0 * t.hard / greatest(t.tried, 1),
       softbounce_rate = 100.0 * t.soft / greatest(t.tried, 1),
       totalbounce_rate = 100.0 * (t.hard + t.soft) / greatest(t.tried, 1),
       actual_rate = round(60 * t.sent / greatest(extract(epoch FROM localtimestamp - start_date), 60))
  FROM (SELECT count(*) FILTER (WHERE status IN (4, 6)) AS sent, count(*) FILTER (WHERE status = 5) AS hard,
               count(*) FILTER (WHERE status = 8) AS soft, count(*) FILTER (WHERE status IN (4, 5, 6, 8)) AS tried
          FROM crm7.s_shipment_addr WHERE shipment_id = :shipment_id) t
 WHERE id = :shipment_id
""")
