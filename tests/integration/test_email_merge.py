from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from batchtask.identifiers import new_task_id
from batchtask.outcomes import Snoozed, Succeeded
from batchtask.testing import Killed
from tests.email_merge_support import (
    Desk,
    Person,
    add_consent,
    add_reservation,
    add_shipment_type,
    change,
    recipient_rows,
    rows,
)
from tests.mail_server import HANG_UP, MailServer
from worker.tasks.mail_merge.by_email.ledger import ON_ITS_WAY

SENT, BOUNCED, SOFT_BOUNCED, IN_DOUBT, READY, BLOCKED, DUPLICATE, DECLINED, BOUNCES = 4, 5, 8, 0, 1, 3, 2, 9, 11
FOUR = [Person(first=name, last="Test") for name in ("Anna", "Bo", "Carl", "Dag")]


def test_everybody_gets_a_mail_of_their_own(desk: Desk, mails: MailServer) -> None:
    desk.know(FOUR)
    assert desk.send(subject="News for {atfn}") == Succeeded(response="Sent 4 of 4")
    assert [(str(m["Subject"]), m.get_content().strip()) for m in mails.messages] == [
        ("News for Anna", "Hello Anna!"),
        ("News for Bo", "Hello Bo!"),
        ("News for Carl", "Hello Carl!"),
        ("News for Dag", "Hello Dag!"),
    ]
    [first, *_] = mails.messages
    assert str(first["From"]) == "Kari Nordmann <kari@sender.example>"
    assert str(first["To"]) == "Anna Test <anna@example.test>"
    assert first["Date"]
    assert desk.context.reports[-1] == (100, "Mail 4 of 4 to Dag Test")
    assert desk.states() == {"anna": SENT, "bo": SENT, "carl": SENT, "dag": SENT}
    [shipment] = rows(desk.database_url, "SELECT * FROM crm7.s_shipment")
    assert (shipment["status"], shipment["sent_num"], shipment["recipients"]) == (1, 4, 4)
    assert shipment["end_date"] is not None
    assert all(row["lastsent"] for row in rows(desk.database_url, "SELECT * FROM crm7.email WHERE person_id > 7000"))


def test_a_second_run_of_the_task_sends_nothing_again(desk: Desk, mails: MailServer) -> None:
    desk.know(FOUR)
    desk.send()
    desk.context.next_attempt()
    desk.context.checkpoint = None  # as with a replay that was given other parameters
    assert desk.send("Quite another text", subject="Other") == Succeeded(response="Sent 4 of 4")
    assert len(mails.messages) == 4


def test_refused_addresses_are_told_and_the_rest_goes_on(
    desk: Desk, mails: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    desk.know(FOUR)
    mails.at_recipient["bo@example.test"].append("550 5.1.1 no such user")
    assert desk.send() == Succeeded(response="Sent 3 of 4; 1 refused")
    row = recipient_rows(desk.database_url)["bo@example.test"]
    assert (row["status"], row["bounce_code"], row["bounce_reason"]) == (BOUNCED, 550, "5.1.1 no such user")
    [email] = rows(desk.database_url, "SELECT * FROM crm7.email WHERE email_address = 'bo@example.test'")
    assert (email["bouncecount"], email["lastbouncecode"], email["lastbouncereason"]) == (
        1,
        550,
        "5.1.1 no such user",
    )
    assert email["lastbounce"] is not None
    assert "refused: Bo Test <bo@example.test>: 550 5.1.1 no such user" in caplog.messages
    [shipment] = rows(desk.database_url, "SELECT * FROM crm7.s_shipment")
    assert (shipment["hardbounce_num"], shipment["hardbounce_rate"]) == (1, 25.0)


def test_a_server_that_relays_nothing_does_not_spoil_the_addresses(desk: Desk, mails: MailServer) -> None:
    desk.know(FOUR)
    mails.at_recipient["bo@example.test"].append("554 5.7.1 relay access denied")
    assert desk.send() == Succeeded(response="Sent 3 of 4; 1 refused")
    assert not rows(desk.database_url, "SELECT * FROM crm7.email WHERE bouncecount > 0")


def test_whom_the_server_puts_off_is_tried_again_later(desk: Desk, mails: MailServer) -> None:
    desk.know(FOUR)
    mails.at_recipient["bo@example.test"].extend(["451 4.7.1 greylisted", "451 4.7.1 greylisted"])
    outcome = desk.send()
    assert isinstance(outcome, Snoozed)
    assert 290 < outcome.seconds <= 300
    assert outcome.reason == "Sent 3 of 4; 1 not yet sent; the mail server asked to try again later"
    again = desk.send()  # too early: nothing happens
    assert isinstance(again, Snoozed)
    _let_time_pass(desk)
    later = desk.send()
    assert isinstance(later, Snoozed)
    _let_time_pass(desk)
    assert desk.send() == Succeeded(response="Sent 4 of 4")
    assert mails.recipients.count("anna@example.test") == 1


def test_who_is_put_off_for_hours_is_told_as_refused(desk: Desk, mails: MailServer) -> None:
    desk.know(FOUR[:1])
    mails.at_recipient["anna@example.test"].extend(["451 later"] * 5)
    for _ in range(4):
        assert isinstance(desk.send(), Snoozed)
        _let_time_pass(desk)
    assert desk.send() == Succeeded(response="Sent 0 of 1; 1 refused")
    assert desk.states() == {"anna": SOFT_BOUNCED}
    assert not rows(desk.database_url, "SELECT * FROM crm7.email WHERE bouncecount > 0")


def _let_time_pass(desk: Desk) -> None:
    change(desk.database_url, "UPDATE crm7.s_shipment_addr SET sending_time = localtimestamp WHERE status = 1")


def test_a_mail_whose_answer_is_lost_is_in_doubt_and_never_sent_again(
    desk: Desk, mails: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    desk.know(FOUR)
    mails.at_end["bo@example.test"].append(HANG_UP)
    assert desk.send() == Succeeded(response="Sent 3 of 4; 1 in doubt")
    told = "in doubt: Bo Test <bo@example.test>: it is not known whether the mail server took the mail"
    assert caplog.messages.count(told) == 1
    assert desk.states()["bo"] == IN_DOUBT
    desk.context.next_attempt()
    assert desk.send() == Succeeded(response="Sent 3 of 4; 1 in doubt")
    assert caplog.messages.count(told) == 2  # the log of the attempt before may be lost with its worker
    assert sorted(mails.recipients).count("bo@example.test") == 1


def test_whoever_reads_the_row_between_full_stop_and_answer_finds_the_mail_in_doubt(
    desk: Desk, mails: MailServer
) -> None:
    """If the process dies now, and no attempt follows, the row says so ever after."""
    desk.know(FOUR[:1])
    seen: list[tuple[int, str]] = []

    def look(count: int) -> None:
        [row] = recipient_rows(desk.database_url).values()
        seen.append((row["status"], row["bounce_reason"]))

    mails.accepted = look
    assert desk.send() == Succeeded(response="Sent 1 of 1")
    assert seen == [(IN_DOUBT, ON_ITS_WAY)]
    [row] = recipient_rows(desk.database_url).values()
    assert (row["status"], row["bounce_reason"]) == (SENT, None)


@pytest.mark.parametrize(("answer", "status"), [("550 no", BOUNCED), ("451 later", READY)])
def test_a_refusal_of_the_mail_itself_ends_the_doubt(desk: Desk, mails: MailServer, answer: str, status: int) -> None:
    desk.know(FOUR[:1])
    mails.at_end["anna@example.test"].append(answer)
    desk.send()
    [row] = recipient_rows(desk.database_url).values()
    code, _, reason = answer.partition(" ")
    assert (row["status"], row["bounce_code"], row["bounce_reason"]) == (status, int(code), reason)


def test_whom_an_earlier_mailing_of_the_same_text_left_in_doubt_is_named_when_it_is_repeated(
    desk: Desk, mails: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    desk.know(FOUR)
    mails.at_end["bo@example.test"].append(HANG_UP)
    desk.send()

    def told_by(*, text: str) -> list[str]:
        caplog.clear()
        desk.context.task_id = new_task_id()
        desk.send(text)
        return [message for message in caplog.messages if message.startswith("perhaps")]

    [told] = told_by(text="Hello {atfn}!")
    assert told.startswith("perhaps for the second time: Bo Test <bo@example.test>: it is not known whether mailing ")
    assert told_by(text="Something else") == []


@pytest.mark.parametrize("answer", [HANG_UP, "421 4.3.2 too many connections"])
def test_a_connection_that_breaks_before_the_mail_is_handed_over_is_made_again(
    desk: Desk, mails: MailServer, answer: str
) -> None:
    desk.know(FOUR)
    mails.at_recipient["bo@example.test"].append(answer)
    assert desk.send() == Succeeded(response="Sent 4 of 4")
    assert mails.recipients == ["anna@example.test", "bo@example.test", "carl@example.test", "dag@example.test"]


def test_who_must_not_be_written_to_is_left_out_with_a_reason(
    desk: Desk, mails: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    desk.know(
        [
            Person(first="Anna", last="Allowed"),
            Person(first="Bo", last="Blocked", values={"blockemarketing": 1}),
            Person(first="Carl", last="Nomail", values={"nomailing": 1}),
            Person(first="Dag", last="Typo", address="dag@example,test"),
            Person(first="Eva", last="Twin", address="ANNA@example.test"),
            Person(first="Finn", last="Silent"),
            Person(first="Gro", last="Declined"),
            Person(first="Hal", last="Gone"),
        ]
    )
    *_, finn, gro, hal = desk.people
    engine = create_engine(desk.database_url)
    with engine.begin() as connection:
        add_consent(connection, *(person_id for person_id in desk.people if person_id != finn))
        add_shipment_type(connection, 3)
        add_reservation(connection, gro, 3)
    engine.dispose()
    change(desk.database_url, f"UPDATE crm7.email SET bouncecount = 9 WHERE person_id = {hal}")
    outcome = desk.send(shipment_type_id=3)
    assert isinstance(outcome, Succeeded)
    assert outcome.response.startswith("Sent 1 of 8; 7 left out (")
    assert len(mails.messages) == 1
    assert "unsubscribe" in str(mails.messages[0]["List-Unsubscribe"])
    log = "\n".join(caplog.messages)
    for person, reason in {
        "Bo Blocked": "no electronic marketing",
        "Carl Nomail": "no mailing",
        "Dag Typo": "no valid e-mail address",
        "Eva Twin": "address gets the mail already",
        "Finn Silent": "no consent",
        "Gro Declined": "declined this kind of mailing",
        "Hal Gone": "address bounced too often",
    }.items():
        [line] = [line for line in log.splitlines() if person in line]
        assert line.startswith("left out: ")
        assert line.endswith(reason)
    expected = {"carl": BLOCKED, "bo": BLOCKED, "dag": BLOCKED, "finn": BLOCKED, "gro": DECLINED, "hal": BOUNCES}
    assert desk.states() == expected | {"anna": SENT, "ANNA": DUPLICATE}
    assert not [line for line in log.splitlines() if "Anna Allowed" in line]


def test_who_objects_while_mails_are_being_sent_gets_none(desk: Desk, mails: MailServer) -> None:
    desk.know(FOUR)
    desk.context.killed_after = 6  # four to choose the recipients, two to send
    with pytest.raises(Killed):
        desk.send()
    change(desk.database_url, "UPDATE crm7.person SET nomailing = 1 WHERE firstname = 'Carl'")
    desk.context.next_attempt()
    assert desk.send() == Succeeded(response="Sent 3 of 4; 1 left out (1 no mailing)")
    assert mails.recipients == ["anna@example.test", "bo@example.test", "dag@example.test"]


def test_who_cannot_be_reached_is_not_the_one_at_the_company_who_gets_the_mail(
    desk: Desk, mails: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    desk.know(FOUR)
    change(desk.database_url, f"DELETE FROM crm7.email WHERE person_id = {desk.people[0]}")
    assert desk.send(one_per_company=True) == Succeeded(
        response="Sent 1 of 4; 3 left out (2 somebody else at the company gets the letter, 1 no e-mail address)"
    )
    assert mails.recipients == ["bo@example.test"]
    assert any("Anna Test" in line and line.endswith("no e-mail address") for line in caplog.messages)
