"""The SQL of counting. Names in doubled braces are filled in for each kind of owner; see `counters`."""

from __future__ import annotations

from worker.tasks.status_monitors.counter_criteria import ALL_SALES

# Activities are appointments and documents that users plan and do: no notes, saved reports or drafts of a mail merge;
# nothing hidden, declined or called off; a meeting of several people once, by its mother.
_TYPES = "1, 2, 4, 6, 7, 9"
_NOT_STATUSES = "4, 9, 10, 13"
_COMPLETED_ACTIVITY = 3
_COMPLETED_SALE = "(sale.done = 2 OR sale.status IN (2, 3))"

_OTHER_KEYS = "record_type, direction, intent_id, sale_status, amountclassid"
_KEYS = f"owner_id, {_OTHER_KEYS}"
_COUNTS = "totalreg, totalreginperiod, notcompleted, notcompletedinperiod"
_LATER_COUNTS = "extra1_count, extra2_count, extra3_count, extra4_count"
_DATES = "lastregistered, lastcompleted, lastdoby"
_MEASURES = f"{_COUNTS}, {_LATER_COUNTS}, {_DATES}"


def _of(row: str, names: str) -> str:
    return ", ".join(f"{row}.{name}" for name in names.split(", "))


BEFORE = f"""
SELECT countervalue_id, {{key}} AS {_KEYS}, {_MEASURES}, xmin AS seen FROM crm7.countervalue WHERE {{key}} <> 0
"""  # noqa: S608 - constants of ours

_RECENT = "(at >= CURRENT_DATE - CAST(:days{place} AS integer) AND at < CURRENT_DATE + 1)"
_AGGREGATES = f"""
count(*) AS totalreg,
count(*) FILTER (WHERE {_RECENT.format(place=1)}) AS totalreginperiod,
count(*) FILTER (WHERE NOT completed) AS notcompleted,
count(*) FILTER (WHERE NOT completed AND {_RECENT.format(place=1)}) AS notcompletedinperiod,
count(*) FILTER (WHERE {_RECENT.format(place=2)}) AS extra1_count,
count(*) FILTER (WHERE NOT completed AND {_RECENT.format(place=2)}) AS extra2_count,
count(*) FILTER (WHERE {_RECENT.format(place=3)}) AS extra3_count,
count(*) FILTER (WHERE NOT completed AND {_RECENT.format(place=3)}) AS extra4_count,
max(at) AS lastregistered,
max(at) FILTER (WHERE completed) AS lastcompleted,
max(at) FILTER (WHERE NOT completed) AS lastdoby
"""

COUNTED = f"""
SELECT {_KEYS.replace("sale_status, amountclassid", "0 AS sale_status, 0 AS amountclassid")}, {_AGGREGATES}
FROM (
    SELECT activity.{{key}} AS owner_id,
        COALESCE(
            NULLIF(task.record_type, 0), NULLIF(template.record_type, 0),
            CASE WHEN activity.document_id > 0 THEN 2 ELSE 1 END
        ) AS record_type,
        COALESCE(task.direction, template.direction, 0) AS direction,
        COALESCE(task.intentid, template.intentid, 0) AS intent_id,
        COALESCE(activity.activedate, activity.do_by, activity.done) AS at,
        COALESCE(activity.status, 0) = {_COMPLETED_ACTIVITY} AS completed
    FROM crm7.appointment activity
    LEFT JOIN crm7.task task ON task.task_id = activity.task_idx AND COALESCE(activity.document_id, 0) = 0
    LEFT JOIN crm7.doctmpl template ON template.doctmpl_id = activity.task_idx AND activity.document_id > 0
    WHERE activity.{{key}} <> 0 AND activity.type IN ({_TYPES})
        AND COALESCE(activity.status, 0) NOT IN ({_NOT_STATUSES})
        AND COALESCE(activity.mother_id, 0) IN (0, activity.appointment_id)
        AND EXISTS (SELECT FROM crm7.{{subject}} owner WHERE owner.{{key}} = activity.{{key}})
) activity
GROUP BY owner_id, record_type, direction, intent_id
UNION ALL
SELECT owner_id, 0, 0, 0, COALESCE(sale_status, {ALL_SALES}), amountclassid, {_AGGREGATES}
FROM (
    SELECT sale.{{key}} AS owner_id, COALESCE(sale.status, 0) AS sale_status,
        COALESCE(class.amountclass_id, 0) AS amountclassid, sale.saledate AS at,
        COALESCE({_COMPLETED_SALE}, false) AS completed
    FROM crm7.sale sale
    LEFT JOIN LATERAL (
        SELECT amountclass_id FROM crm7.amountclass class
        WHERE COALESCE(class.deleted, 0) = 0
            AND COALESCE(sale.amount, 0) >= COALESCE(class.amountfrom, '-infinity')
            AND COALESCE(sale.amount, 0) <= COALESCE(class.amountto, 'infinity')
            AND COALESCE(class.currencyid, 0) IN (0, COALESCE(sale.currency_id, 0))
        ORDER BY class.rank, class.amountclass_id LIMIT 1
    ) class ON true
    WHERE sale.{{key}} <> 0 AND EXISTS (SELECT FROM crm7.{{subject}} owner WHERE owner.{{key}} = sale.{{key}})
) sale
GROUP BY GROUPING SETS ((owner_id, sale_status, amountclassid), (owner_id, amountclassid))
"""  # noqa: S608 - constants of ours

ADDED = f"""
SELECT counted.*, row_number() OVER (ORDER BY owner_id) AS place FROM saint_counted counted
WHERE NOT EXISTS (
    SELECT FROM saint_before before
    WHERE ({_of("before", _KEYS)})
        = ({_of("counted", _KEYS)})
)
"""  # noqa: S608 - constants of ours

CHANGED = f"""
SELECT before.countervalue_id, before.seen, {_of("counted", _MEASURES)}
FROM saint_counted counted JOIN saint_before before USING ({_KEYS})
WHERE ({_of("counted", _MEASURES)})
    IS DISTINCT FROM ({_of("before", _MEASURES)})
    AND NOT EXISTS (SELECT FROM saint_gone gone WHERE gone.countervalue_id = before.countervalue_id)
"""  # noqa: S608 - constants of ours

GONE = f"""
SELECT countervalue_id, seen FROM saint_before before
WHERE NOT EXISTS (
    SELECT FROM saint_counted counted
    WHERE ({_of("before", _KEYS)})
        = ({_of("counted", _KEYS)})
)
"""  # noqa: S608 - constants of ours

# Two writers that find the same row missing each insert it, and monitors would count twice: the older one stays.
DOUBLED = f"""
INSERT INTO saint_gone SELECT countervalue_id, seen FROM (
    SELECT *, row_number() OVER (PARTITION BY {_KEYS} ORDER BY countervalue_id) AS place FROM saint_before
) numbered
WHERE place > 1 AND NOT EXISTS (
    SELECT FROM saint_gone gone WHERE gone.countervalue_id = numbered.countervalue_id
)
"""  # noqa: S608 - constants of ours

# Not those that the CRM has inserted since they were found missing: it does for a new company. What there is now is
# read as a whole, for no index tells a few from a hundred thousand of one state.
INSERT = f"""
WITH present AS MATERIALIZED (
    SELECT {{key}} AS {_KEYS} FROM crm7.countervalue WHERE {{key}} <> 0
)
INSERT INTO crm7.countervalue (countervalue_id, contact_id, person_id, project_id, extra1_id, extra2_id,
    {_OTHER_KEYS}, {_MEASURES},
    registered, registered_associate_id, updated, updated_associate_id, updatedcount)
SELECT :first_id + place - 1, {{owners}}, 0, 0, {_OTHER_KEYS}, {_MEASURES},
    now(), :associate_id, now(), :associate_id, 0
FROM saint_added added
WHERE NOT EXISTS (
    SELECT FROM present WHERE ({_of("present", _KEYS)}) = ({_of("added", _KEYS)})
)
ORDER BY place
"""  # noqa: S608 - constants of ours

UPDATE = f"""
UPDATE crm7.countervalue row SET {", ".join(f"{name} = free.{name}" for name in _MEASURES.split(", "))},
    updated = now(), updated_associate_id = :associate_id, updatedcount = row.updatedcount + 1
"""  # noqa: S608 - constants of ours
