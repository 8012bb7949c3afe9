"""The inbox task on a real mail server: what is in a mailbox is in the CRM, once, and stays so."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from batchtask import crm7
from batchtask.local.dovecot import Dovecot
from batchtask.outcomes import Succeeded
from batchtask.testing import Killed
from tests.inbox_support import KARI, NOW, Desk, letter, letters, logged_in


def renumber(server: Dovecot) -> None:
    """Give the messages of INBOX new UIDs, in another order, under another UIDVALIDITY."""
    for index in server.maildir(KARI).glob("dovecot.*"):
        index.unlink()
    numbers = server.maildir(KARI) / "dovecot-uidlist"
    validity = re.search(r"V(\d+)", numbers.read_text())
    assert validity
    numbers.write_text(f"3 V{int(validity[1]) + 1} N40 G0123456789abcdef0123456789abcdef\n")


@pytest.fixture
def desk(database_url: str, tmp_path: Path, mail_server: Dovecot) -> Desk:
    desk = Desk(database_url, tmp_path)
    desk.account(mail_server.port)
    return desk


def test_a_first_run_brings_what_is_in_the_window(desk: Desk, mail_server: Dovecot) -> None:
    mail_server.deliver(KARI, letters(3))
    mail_server.deliver(KARI, letters(2, days_old=40, first=10))
    outcome = desk.run(days_to_download=30)
    assert outcome == Succeeded(response="1 of 1 mail account read: 3 new messages.")
    assert desk.subjects() == ["Letter 1", "Letter 2", "Letter 3"]
    item = desk.items()[0]
    assert item["plain_body"] == "Text of letter 1\r\n"
    assert item["from"] == "ola@firma.example"
    assert item["messageid"] == "<1@firma.example>"
    assert (item["flags"], item["priority"], item["has_attachment"]) == (0, 3, 0)
    assert item["folder"] == "INBOX"
    account = desk.one_account()
    assert (account["account_status"], account["error_count"], account["error_reason"]) == (4, 0, "")
    assert account["last_fetch"] is not None


def test_a_second_run_finds_nothing_new_and_a_third_only_what_is(desk: Desk, mail_server: Dovecot) -> None:
    mail_server.deliver(KARI, letters(3))
    desk.run()
    assert desk.run() == Succeeded(response="1 of 1 mail account read: 0 new messages.")
    mail_server.deliver(KARI, letters(1, first=4))
    assert desk.run() == Succeeded(response="1 of 1 mail account read: 1 new message.")
    assert len(desk.items()) == 4


def test_flags_that_changed_are_taken_over_and_deleted_messages_are_removed(desk: Desk, mail_server: Dovecot) -> None:
    mail_server.deliver(KARI, letters(4))
    desk.run()
    with logged_in(mail_server) as client:
        client.select()
        client.uid("STORE", "1", "+FLAGS", r"(\Seen \Flagged)")
        client.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
        client.expunge()
    outcome = desk.run()
    assert outcome == Succeeded(response="1 of 1 mail account read: 0 new messages, 1 changed, 1 removed.")
    assert {item["server_id"]: item["flags"] for item in desk.items()} == {1: 9, 3: 0, 4: 0}


def test_a_message_that_was_moved_keeps_its_row_and_what_the_crm_tied_to_it(desk: Desk, mail_server: Dovecot) -> None:
    mail_server.deliver(KARI, letters(3, days_old=100))
    desk.run()
    desk.change("UPDATE crm7.email_item SET document_id = 55 WHERE server_id = 2")
    with logged_in(mail_server) as client:
        client.create('"Arkiv &AOY-"')
        client.subscribe('"Arkiv &AOY-"')
        client.select()
        client.uid("MOVE", "2", '"Arkiv &AOY-"')
    outcome = desk.run(days_to_download=30)  # it is older than the window by now
    assert outcome == Succeeded(response="1 of 1 mail account read: 0 new messages, 1 moved.")
    moved = [item for item in desk.items() if item["folder"] == "Arkiv æ"]
    assert [(item["document_id"], item["server_id"]) for item in moved] == [(55, 1)]
    assert len(desk.items()) == 3


def test_a_run_over_some_folders_removes_nothing_that_may_have_been_moved_to_the_others(
    desk: Desk, mail_server: Dovecot
) -> None:
    mail_server.deliver(KARI, letters(3, days_old=100))
    desk.run()
    with logged_in(mail_server) as client:
        client.create("Arkiv")
        client.subscribe("Arkiv")
        client.select()
        client.uid("MOVE", "2", "Arkiv")
    desk.run(folders=["INBOX"], days_to_download=30)
    assert [item["flags"] for item in desk.items() if item["server_id"] < 0] == [2]  # the CRM can hide it
    assert desk.run(days_to_download=30) == Succeeded(response="1 of 1 mail account read: 0 new messages, 1 moved.")
    assert [(item["folder"], item["flags"]) for item in desk.items()] == [("Arkiv", 0), ("INBOX", 0), ("INBOX", 0)]


def test_a_deleted_message_that_was_archived_stays(desk: Desk, mail_server: Dovecot) -> None:
    mail_server.deliver(KARI, letters(2))
    desk.run()
    desk.change("UPDATE crm7.email_item SET sale_id = 5 WHERE server_id = 2")
    with logged_in(mail_server) as client:
        client.select()
        client.store("1:*", "+FLAGS", r"(\Deleted)")
        client.expunge()
    desk.run()
    assert [(item["sale_id"], item["server_id"], item["flags"]) for item in desk.items()] == [(5, 0, 2)]


def test_new_uids_of_a_whole_folder_double_nothing(desk: Desk, mail_server: Dovecot) -> None:
    mail_server.deliver(KARI, letters(5, days_old=50))
    desk.run()
    desk.change("UPDATE crm7.email_item SET document_id = server_id")
    before = {item["messageid"]: item["document_id"] for item in desk.items()}
    renumber(mail_server)
    mail_server.deliver(KARI, letters(1, first=9))
    desk.run(days_to_download=10)
    after = {item["messageid"]: item["document_id"] for item in desk.items()}
    assert len(desk.items()) == 6
    assert after == {**before, "<9@firma.example>": None}


def test_a_renamed_folder_takes_its_rows_along(desk: Desk, mail_server: Dovecot) -> None:
    mail_server.deliver(KARI, letters(3), "Old")
    desk.run(folders=["Old"])
    desk.change("UPDATE crm7.email_item SET document_id = 1")
    with logged_in(mail_server) as client:
        client.rename("Old", "New")
    desk.run(folders=["New"])
    assert [(item["folder"], item["document_id"]) for item in desk.items()] == [("New", 1)] * 3
    assert "Old" not in [row["name"] for row in desk.rows("SELECT name FROM crm7.email_folder")]


def test_a_folder_that_is_gone_takes_its_rows_with_it(desk: Desk, mail_server: Dovecot) -> None:
    mail_server.deliver(KARI, letters(3), "Old")
    desk.run(folders=["Old"])
    shutil.rmtree(mail_server.maildir(KARI, "Old"))
    desk.run()
    assert desk.items() == []


def test_messages_that_fall_out_of_the_window_stay_and_a_wider_window_brings_older_ones(
    desk: Desk, mail_server: Dovecot
) -> None:
    mail_server.deliver(KARI, letters(2, days_old=20))
    mail_server.deliver(KARI, letters(2, days_old=60, first=5))
    desk.run(days_to_download=30)
    assert len(desk.items()) == 2
    desk.run(days_to_download=5)
    assert len(desk.items()) == 2
    desk.run(days_to_download=90)
    assert len(desk.items()) == 4


def test_folders_have_their_place_and_their_purpose(desk: Desk, mail_server: Dovecot) -> None:
    mail_server.deliver(KARI, letters(1), "Kunder")
    mail_server.deliver(KARI, letters(1), "Kunder.Oslo")
    desk.run()
    rows = {row["name"]: row for row in desk.rows("SELECT * FROM crm7.email_folder")}
    assert rows["Kunder.Oslo"]["parent_folder_id"] == rows["Kunder"]["email_folder_id"]
    assert rows["Kunder"]["folder_separator"] == "."
    assert rows["Sent"]["attributes"] & 33 == 33  # subscribed, sent
    assert rows["INBOX"]["attributes"] & 16


def test_a_sender_is_known_in_any_case_and_persons_come_before_companies(desk: Desk, mail_server: Dovecot) -> None:
    company, other = desk.company("Firma"), desk.company("Other")
    person = desk.person(company)
    desk.add(crm7.email, person_id=0, contact_id=other, email_address="ola@firma.example", rank=1)
    desk.add(crm7.email, person_id=person, contact_id=0, email_address="Ola@Firma.Example", rank=2)
    mail_server.deliver(KARI, [(letter(1, sender="Ola Å <OLA@firma.EXAMPLE>"), NOW)])
    desk.run()
    assert [(item["person_id"], item["contact_id"]) for item in desk.items()] == [(person, company)]


def test_what_was_deleted_in_the_crm_is_not_linked_and_who_left_only_if_nobody_else_has_the_address(
    desk: Desk, mail_server: Dovecot
) -> None:
    deleted, company = desk.company("Gone", deleted=1), desk.company("Firma")
    left, here = desk.person(company, retired=1), desk.person(company)
    desk.add(crm7.email, contact_id=deleted, email_address="gone@firma.example")
    for person in (left, here):
        desk.add(crm7.email, person_id=person, email_address="shared@firma.example", rank=person)
    desk.add(crm7.email, person_id=left, email_address="left@firma.example")
    senders = ("gone@firma.example", "shared@firma.example", "left@firma.example", "shared+tag@firma.example")
    mail_server.deliver(KARI, [(letter(number, sender=sender), NOW) for number, sender in enumerate(senders)])
    desk.run()
    assert [(item["person_id"], item["contact_id"]) for item in desk.items()] == [
        (0, 0), (here, company), (left, company), (0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("point", range(1, 12))
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next_attempt(
    desk: Desk, mail_server: Dovecot, point: int
) -> None:
    mail_server.deliver(KARI, letters(350))
    context = desk.context(killed_after=point)
    try:
        desk.run(context)
    except Killed:
        context.next_attempt()
        desk.run(context)
    assert len(desk.items()) == 350
    assert len({item["server_id"] for item in desk.items()}) == 350


def test_a_server_that_dies_in_the_middle_is_told_and_the_next_run_goes_on(
    desk: Desk, mail_server: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_server.deliver(KARI, letters(300))
    context = desk.context()
    monkeypatch.setattr(context, "progress", lambda _, words: mail_server.kill() if "100 of" in words else None)
    with pytest.raises(Exception, match=r"closed the connection|broke"):
        desk.run(context)
    assert len(desk.items()) == 100
    account = desk.one_account()
    assert (account["account_status"], account["error_count"]) == (2, 1)
    mail_server.start()
    assert desk.run() == Succeeded(response="1 of 1 mail account read: 200 new messages.")
    assert desk.one_account()["error_count"] == 0


def test_an_account_that_is_deleted_meanwhile_gets_no_further_rows(
    desk: Desk, mail_server: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_server.deliver(KARI, letters(300))
    context = desk.context()

    def delete(_: float, words: str) -> None:
        if "200 of" in words:
            desk.change("DELETE FROM crm7.email_account")

    monkeypatch.setattr(context, "progress", delete)
    with pytest.raises(Exception, match="deleted"):
        desk.run(context)
    assert len(desk.items()) == 200


def test_short_time_ends_the_attempt_and_the_next_one_goes_on(desk: Desk, mail_server: Dovecot) -> None:
    mail_server.deliver(KARI, letters(10))
    context = desk.context(time_is_short=True)
    assert type(desk.run(context)).__name__ == "Snoozed"
    context.short_after = None
    assert desk.run(context) == Succeeded(response="1 of 1 mail account read: 10 new messages.")


def test_an_account_of_which_an_hour_brings_nothing_makes_way_for_the_others(
    desk: Desk, mail_server: Dovecot
) -> None:
    desk.account(mail_server.port)
    mail_server.deliver(KARI, letters(10))
    context = desk.context(time_is_short=True)
    for _ in range(3):
        assert type(desk.run(context)).__name__ == "Snoozed"
    context.short_after = None
    outcome = desk.run(context)
    assert isinstance(outcome, Succeeded)
    assert outcome.response.startswith("1 of 2 mail accounts read: 10 new messages. 1 of 2 mail accounts not read.")
    assert "The mail server localhost is too slow" in desk.one_account()["error_reason"]


def test_two_runs_of_one_account_do_not_meet(
    desk: Desk, mail_server: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_server.deliver(KARI, letters(10))
    context, answers = desk.context(), []
    monkeypatch.setattr(context, "progress", lambda _, words: answers.append(desk.run()) if "0 of" in words else None)
    desk.run(context)
    busy = "1 of 1 mail account left out: another task reads it now."
    assert answers == [Succeeded(response=f"0 of 1 mail account read: 0 new messages. {busy}")]
    assert len(desk.items()) == 10
