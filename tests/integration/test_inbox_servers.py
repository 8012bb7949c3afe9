"""Mail servers that are real, and not as one would have them: they hang up over one mail, or count no changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask.definitions import TaskFailure
from batchtask.local.dovecot import Dovecot, MailInstallation
from batchtask.outcomes import Cancelled, Succeeded
from batchtask.testing import FakeContext, cancelled_everywhere
from tests.inbox_support import KARI, PASSWORD, Desk, letters, logged_in
from worker.tasks.inbox import inbox

NOTHING_NEW = Succeeded(response="1 of 1 mail account read: 0 new messages.")


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Desk:
    return Desk(database_url, tmp_path)


def let_lie(path: Path) -> None:
    """Give a mail another size by its name than it has; Dovecot hangs up when it gets to its end."""
    path.rename(path.with_name(path.name.replace(".batchtask", ".batchtask,S=99999,W=100")))


def mails_on_disk(server: Dovecot) -> list[Path]:
    return sorted((server.maildir(KARI) / "cur").iterdir())


def test_a_mail_over_which_the_server_hangs_up_costs_itself_its_text_and_nobody_else_anything(
    desk: Desk, mail_server: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    desk.account(mail_server.port)
    mail_server.deliver(KARI, letters(5))
    let_lie(mails_on_disk(mail_server)[1])
    assert desk.run() == Succeeded(response="1 of 1 mail account read: 5 new messages.")
    texts = {item["subject"]: item["plain_body"] for item in desk.items()}
    assert texts == {f"Letter {n}": None if n == 2 else f"Text of letter {n}\r\n" for n in range(1, 6)}
    assert ["message 2" in record.getMessage() for record in caplog.records] == [True]
    assert desk.run() == NOTHING_NEW


def test_many_such_mails_are_got_over_within_some_runs(desk: Desk, mail_server: Dovecot) -> None:
    desk.account(mail_server.port)
    mail_server.deliver(KARI, letters(60))
    for path in mails_on_disk(mail_server)[::2]:
        let_lie(path)
    kept = [0]
    for _ in range(2):
        with pytest.raises(TaskFailure, match="closed the connection"):
            desk.run()
        kept.append(len(desk.items()))
    desk.run()
    assert 0 < kept[1] < kept[2] < len(desk.items()) == 60  # each run gets further
    assert desk.run() == NOTHING_NEW


def test_a_message_that_the_database_refuses_costs_no_other_its_place(
    desk: Desk, mail_server: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    desk.change("ALTER TABLE crm7.email_item ALTER subject TYPE varchar(8)")
    desk.account(mail_server.port)
    mail_server.deliver(KARI, letters(12))
    assert desk.run() == Succeeded(response="1 of 1 mail account read: 9 new messages.")
    said = [record.getMessage() for record in caplog.records if "is left out" in record.getMessage()]
    assert len(said) == 3
    assert said[0].endswith(
        "INBOX: message 12 ('Letter 12') is left out: the database refuses it "
        "(value too long for type character varying(8))."
    )


def test_stopped_anywhere_it_says_what_it_did_and_the_next_run_brings_the_rest(
    desk: Desk, mail_server: Dovecot
) -> None:
    desk.account(mail_server.port)
    mail_server.deliver(KARI, letters(250))

    def begin() -> FakeContext:
        desk.change("TRUNCATE crm7.email_item, crm7.email_folder, batchtask.mail_folder_state")
        return desk.context()

    for ending in cancelled_everywhere(inbox, begin):
        if ending.moment:
            assert isinstance(ending.outcome, Cancelled)
            count = len(desk.items())
            assert ending.outcome.response == f"Stopped. 0 of 1 mail account read: {count} new messages."
        desk.run()
        assert len(desk.items()) == 250


FOLDERS = ["INBOX.sub", 'quo"te', "back\\slash", "per%cent", "sta*r", "&ZeVnLIqe-", "two  spaces", "&-amp", "x" * 240]


def test_folders_have_whatever_names_their_owners_gave_them(desk: Desk, mail_server: Dovecot) -> None:
    desk.account(mail_server.port)
    for number, name in enumerate(FOLDERS):
        mail_server.deliver(KARI, letters(1, first=number), name)
        mail_server.subscribe(KARI, name)
    desk.run()
    assert len(desk.items()) == len(FOLDERS)


@pytest.fixture(params=["", " CONDSTORE", " CONDSTORE ENABLE", " ESEARCH"])
def plain_server(
    request: pytest.FixtureRequest, mail_programs: MailInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Dovecot]:
    """A mail server that says it can do no more than this."""
    server = Dovecot(
        installation=mail_programs,
        directory=tmp_path / "mail",
        passwords={KARI: PASSWORD},
        more=f"imap_capability = IMAP4rev1{request.param}",
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
    with server:
        yield server


def test_a_server_that_tells_less_of_what_changed_is_asked_for_more(desk: Desk, plain_server: Dovecot) -> None:
    desk.account(plain_server.port)
    plain_server.deliver(KARI, letters(6))
    plain_server.deliver(KARI, letters(1, first=50), "Arkiv")
    plain_server.subscribe(KARI, "Arkiv")
    desk.run()
    assert desk.run() == NOTHING_NEW
    with logged_in(plain_server) as client:
        client.select()
        client.uid("STORE", "1", "+FLAGS", r"(\Seen)")
        client.uid("MOVE", "2", "Arkiv")
        client.uid("STORE", "3", "+FLAGS", r"(\Deleted)")
        client.expunge()
    plain_server.deliver(KARI, letters(1, first=9))
    assert desk.run() == Succeeded(response="1 of 1 mail account read: 1 new message, 1 changed, 1 moved, 1 removed.")
    assert [(item["folder"], item["subject"], item["flags"]) for item in desk.items()] == [
        ("Arkiv", "Letter 50", 0), ("Arkiv", "Letter 2", 0), ("INBOX", "Letter 1", 1), ("INBOX", "Letter 4", 0),
        ("INBOX", "Letter 5", 0), ("INBOX", "Letter 6", 0), ("INBOX", "Letter 9", 0),
    ]  # fmt: skip
