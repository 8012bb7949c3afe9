"""User-defined fields that are published while mails go out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask.database import make_engine
from batchtask.definitions import TaskFailure
from batchtask.outcomes import Succeeded
from batchtask.testing import run_task
from batchtask.udef.fields import FieldType
from tests.email_merge_support import COMPANY, Desk, Person, change, rows
from tests.mail_server import MailServer
from tests.udef_support import Udefs, publishing
from worker.tasks.mail_merge.by_email import ledger
from worker.tasks.publish_udef import publish_udef

THREE = [Person(first=name, last="Test") for name in ("Anna", "Bo", "Carl")]
READY, SENT = 1, 4
FAILED = 5


@pytest.fixture
def udefs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Udefs]:
    """A company with a value in string05; recipients are taken one by one."""
    monkeypatch.setattr(ledger, "TAKEN", 1)
    desk.know(THREE)
    engine = make_engine(desk.database_url)
    udefs = Udefs(engine)
    udefs.define({"Group": (FieldType.SHORT_TEXT, "string05")})
    change(desk.database_url, "INSERT INTO crm7.udcontactsmall (udcontactsmall_id, string05) VALUES (1, 'Gold')")
    change(desk.database_url, f"UPDATE crm7.contact SET userdef_id = 1 WHERE contact_id = {COMPANY}")
    yield udefs
    engine.dispose()


def publish_at_first_mail(mails: MailServer, udefs: Udefs, database_url: str, folder: Path) -> None:
    def publish(count: int) -> None:
        if count == 1:
            udefs.start()
            run_task(publish_udef, publishing(database_url, folder), owner="contact")

    mails.accepted = publish


def bodies(mails: MailServer) -> list[str]:
    return [message.get_content().strip() for message in mails.messages]


def test_a_mailing_goes_on_while_other_fields_are_published(
    desk: Desk, mails: MailServer, udefs: Udefs, tmp_path: Path
) -> None:
    udefs.add("Region", FieldType.SHORT_TEXT)
    publish_at_first_mail(mails, udefs, desk.database_url, tmp_path)
    assert desk.send("You are {cs05}") == Succeeded(response="Sent 3 of 3")
    assert bodies(mails) == ["You are Gold"] * 3
    assert set(udefs.columns()) == {"Group", "Region"}


def test_a_field_that_moves_while_mails_go_out_ends_the_mailing_before_anybody_gets_something_else(
    desk: Desk, mails: MailServer, udefs: Udefs, tmp_path: Path
) -> None:
    udefs.edit("Group", indexed=1)
    publish_at_first_mail(mails, udefs, desk.database_url, tmp_path)
    with pytest.raises(TaskFailure, match=r"\{cs05\} in the text would print something else") as failure:
        desk.send("You are {cs05}")
    assert "start a merge for those who got none yet" in str(failure.value)
    assert bodies(mails) == ["You are Gold"]
    assert desk.states() == {"anna": SENT, "bo": READY, "carl": READY}
    [mailing] = rows(desk.database_url, "SELECT status FROM crm7.s_shipment")
    assert mailing["status"] == FAILED


def test_a_choice_is_told_by_the_list_that_is_live_when_the_mail_is_written(
    desk: Desk, mails: MailServer, udefs: Udefs, tmp_path: Path
) -> None:
    """A field that begins to choose from another list stays in its column."""
    for definition, word in ((1, "Silver"), (2, "Platinum")):
        change(desk.database_url, LIST.format(definition=definition, word=word))
    udefs.define_more({"Level": (FieldType.LIST, "long05")})
    change(desk.database_url, "UPDATE crm7.udeffield SET udlistdefinition_id = 1 WHERE fieldlabel = 'Level'")
    change(desk.database_url, "UPDATE crm7.udcontactsmall SET long05 = 1")
    udefs.edit("Level", udlistdefinition_id=2)

    def publish(count: int) -> None:
        if count == 1:
            udefs.start()
            run_task(publish_udef, publishing(desk.database_url, tmp_path), owner="contact", misfits="set-aside")
            change(desk.database_url, "UPDATE crm7.udcontactsmall SET long05 = 2")

    mails.accepted = publish
    assert desk.send("You are {cl05}.") == Succeeded(response="Sent 3 of 3")
    assert bodies(mails) == ["You are Silver.", "You are Platinum.", "You are Platinum."]


LIST = """
INSERT INTO crm7.udlistdefinition (udlistdefinition_id, name, listtableid, registered, registered_associate_id,
    updated, updated_associate_id, updatedcount) VALUES ({definition}, 'L{definition}', 0, now(), 0, now(), 0, 0);
INSERT INTO crm7.udlist (udlist_id, name, udlistdefinition_id, registered, registered_associate_id,
    updated, updated_associate_id, updatedcount) VALUES ({definition}, '{word}', {definition}, now(), 0, now(), 0, 0);
"""
