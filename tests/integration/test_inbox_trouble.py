"""Accounts that cannot be read, and servers that talk nonsense; `test_inbox_servers` has real ones."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from batchtask import crm7
from batchtask.definitions import TaskFailure
from batchtask.local.dovecot import Dovecot
from batchtask.local.processes import free_port
from batchtask.outcomes import Failed, Succeeded
from batchtask.sealing import Sealer
from batchtask.testing import run_attempt
from tests.inbox_support import KARI, OWNER, PASSWORD, Desk, letters
from worker.tasks.inbox import inbox
from worker.tasks.inbox import run as run_module
from worker.tasks.inbox.imap import Login, opening
from worker.tasks.inbox.imap import open_session as really_open
from worker.tasks.inbox.mailbox import Mailbox


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Desk:
    return Desk(database_url, tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for servers a second at most."""
    monkeypatch.setattr(opening, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(run_module, "open_session", lambda login: really_open(login, silence_seconds=1.0))


@contextmanager
def talking(*said: bytes, answer: Callable[[bytes], bytes] = lambda _: b"", connections: int = 1) -> Iterator[int]:
    """Run a server that says something at once, and then an answer to every line; give its port.

    It closes a connection when `answer` raises `OSError`, and listens no more after so many.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        arguments = (listening, b"".join(said), answer, connections)
        threading.Thread(target=_talk_to_each, args=arguments, daemon=True).start()
        yield listening.getsockname()[1]


def _talk_to_each(listening: socket.socket, said: bytes, answer: Callable[[bytes], bytes], connections: int) -> None:
    for _ in range(connections):
        _talk(listening, said, answer)


def _talk(listening: socket.socket, said: bytes, answer: Callable[[bytes], bytes]) -> None:
    try:
        connected, _ = listening.accept()
        with connected, connected.makefile("rb") as lines:
            connected.sendall(said)
            for line in lines:
                connected.sendall(answer(line.rstrip()))
    except OSError:
        pass  # the other side has had enough


def pretending(**answers: bytes) -> Callable[[bytes], bytes]:
    """Answer as a server of few words; `FETCH=…` and the like replace what it says to one command."""
    known = {
        "CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n",
        "LSUB": b"",
        "LIST": b'* LIST () "/" INBOX\r\n',
        "STATUS": b"* STATUS INBOX (UIDVALIDITY 1 UIDNEXT 3 MESSAGES 2)\r\n",
        "EXAMINE": b"* 2 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 3]\r\n",
        "SEARCH": b"* SEARCH 1 2\r\n",
    } | answers

    def answer(line: bytes) -> bytes:
        words = line.decode().split()
        verb = words[2] if words[1] == "UID" else words[1]
        return known.get(verb, b"") + f"{words[0]} OK done\r\n".encode()

    return answer


GREETING = b"* OK ready\r\n"


def test_mail_of_a_user_who_has_left_is_read_by_nobody_but_who_names_the_account(
    desk: Desk, mail_server: Dovecot
) -> None:
    desk.add(crm7.associate, name="kari", deleted=1)
    [kari] = desk.rows("SELECT associate_id FROM crm7.associate")
    account_id = desk.account(mail_server.port, owner=kari["associate_id"])

    assert desk.run(desk.context(owner=0)) == Succeeded(response="There is no mail account to read.")

    named = desk.run(desk.context(owner=0), accounts=(account_id,))
    assert isinstance(named, Succeeded)
    assert named.response.startswith("1 of 1 mail account read")


def test_a_wrong_password_is_told_and_after_three_times_the_system_leaves_the_account_alone(
    desk: Desk, mail_server: Dovecot
) -> None:
    desk.account(mail_server.port, password="wrong")
    for count in (1, 2, 3):
        with pytest.raises(TaskFailure, match=r"refused the user name or password of kari@example\.test: enter it"):
            desk.run(desk.context(owner=0) if count < 3 else None)
        assert desk.one_account()["error_count"] == count
    assert desk.one_account()["account_status"] == 3
    assert desk.run(desk.context(owner=0)) == Succeeded(response="There is no mail account to read.")
    with pytest.raises(TaskFailure):
        desk.run()  # the user may try


def test_an_error_of_the_network_is_no_refused_password(desk: Desk, mail_server: Dovecot) -> None:
    desk.account(mail_server.port, password="wrong")
    desk.change("UPDATE crm7.email_account SET account_status = 2, error_count = 60, error_reason = 'was away'")
    with pytest.raises(TaskFailure, match="refused the user name"):
        desk.run()
    assert (desk.one_account()["account_status"], desk.one_account()["error_count"]) == (2, 1)


@pytest.mark.parametrize(
    "refusal",
    [b"NO [UNAVAILABLE] Temporary authentication failure", b"NO [ALERT] Too many simultaneous connections (Failure)"],
)
@pytest.mark.usefixtures("impatient")
def test_a_server_that_has_no_time_has_not_refused_the_password(desk: Desk, refusal: bytes) -> None:
    def answer(line: bytes) -> bytes:
        tag = line.split()[0]
        return tag + b" " + refusal + b"\r\n" if b"LOGIN" in line else pretending()(line)

    desk.account(993)
    for count in (1, 2, 3):
        with talking(GREETING, answer=answer) as port:
            desk.change("UPDATE crm7.service_auth SET port = :port", port=port)
            with pytest.raises(TaskFailure, match="lets nobody in at this moment: "):
                desk.run()
        assert (desk.one_account()["account_status"], desk.one_account()["error_count"]) == (2, count)


@pytest.mark.usefixtures("impatient")
def test_a_server_that_takes_no_passwords_is_sent_none(desk: Desk) -> None:
    heard: list[bytes] = []

    def answer(line: bytes) -> bytes:
        heard.append(line)
        return pretending(CAPABILITY=b"* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2\r\n")(line)

    with talking(GREETING, answer=answer) as port:
        desk.account(port)
        with pytest.raises(TaskFailure, match="takes no passwords, so none was sent"):
            desk.run()
    assert [line.split()[1] for line in heard] == [b"CAPABILITY"]


def test_one_dead_account_does_not_stop_the_others(desk: Desk, mail_server: Dovecot) -> None:
    desk.account(free_port())
    desk.account(mail_server.port)
    mail_server.deliver(KARI, letters(2))
    outcome = desk.run()
    assert isinstance(outcome, Succeeded)
    assert outcome.response.startswith(
        "1 of 2 mail accounts read: 2 new messages. 1 of 2 mail accounts not read. kari@"
    )
    assert "cannot be reached" in outcome.response


def test_a_certificate_of_a_strange_authority_gets_no_password(
    desk: Desk, mail_server: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    desk.account(mail_server.port)
    with pytest.raises(TaskFailure, match=r"certificate of the mail server localhost:.* was not sent"):
        desk.run()


def test_tls_from_the_start(desk: Desk, mail_server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "IMAPS_PORT", mail_server.imaps_port)
    desk.account(mail_server.imaps_port)
    mail_server.deliver(KARI, letters(1))
    assert "1 new message" in str(desk.run())


def test_a_host_that_does_not_exist(desk: Desk) -> None:
    desk.account(993, server="mail.invalid")
    with pytest.raises(TaskFailure, match=r"There is no mail server mail\.invalid: check its name\."):
        desk.run()


def test_a_password_sealed_with_a_lost_key(desk: Desk) -> None:
    from cryptography.fernet import Fernet

    desk.account(993, sealed=Sealer(Fernet.generate_key().decode()).seal(PASSWORD))
    for _ in range(4):
        with pytest.raises(TaskFailure, match="stored password cannot be read: enter it anew"):
            desk.run()
    assert desk.one_account()["account_status"] == 2  # the key may be found again


@pytest.mark.parametrize(
    ("values", "missing"),
    [({"server": ""}, "mail server"), ({"username": ""}, "user name"), ({"password": ""}, "password")],
)
def test_an_account_that_is_not_complete(desk: Desk, values: dict[str, str], missing: str) -> None:
    account = desk.account(993, **values)
    if missing == "password":
        desk.change("UPDATE crm7.service_auth SET password = ''")
    with pytest.raises(TaskFailure, match=f"The account has no {missing}"):
        desk.run(accounts=[account])


def test_accounts_of_others_are_refused(desk: Desk) -> None:
    other = desk.account(993, owner=OWNER + 1)
    with pytest.raises(TaskFailure, match="is not yours"):
        desk.run(accounts=[other])
    assert desk.run() == Succeeded(response="There is no mail account to read.")


def test_a_folder_that_is_not_there(desk: Desk, mail_server: Dovecot) -> None:
    desk.account(mail_server.port)
    with pytest.raises(TaskFailure, match="There is no folder 'Nowhere'"):
        desk.run(folders=["Nowhere"])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((b"",), "does not answer in time"),
        ((b"220 smtp ready\r\n",), "no mail server that lets us in"),
        ((b"* BYE full\r\n",), "no mail server that lets us in"),
        ((b"\x00\xff" * 5000 + b"\r\n",), "no mail server that lets us in"),
        ((GREETING, b"* OK {99999999999}\r\n"), "too much"),
        ((GREETING, b"hello\r\n"), "no IMAP"),
        ((GREETING, b"* CAPABILITY IMAP4rev1"), "does not answer in time"),
        ((GREETING, b"B1 BAD what\r\n"), "refused CAPABILITY"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_what_answers_there_is_no_mail_server(desk: Desk, said: tuple[bytes, ...], told: str) -> None:
    with talking(*said) as port:
        desk.account(port)
        with pytest.raises(TaskFailure, match=told):
            desk.run()


def test_a_line_without_an_end_is_not_read_for_ever(desk: Desk, impatient: None) -> None:
    with talking(GREETING, b"*" * (17 * 1024 * 1024)) as port:
        desk.account(port)
        with pytest.raises(TaskFailure, match="line without an end"):
            desk.run()


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"LIST": b""}, "lists no folders"),
        ({"EXAMINE": b"* OK fine\r\n"}, "does not number its messages"),
        (
            {"CAPABILITY": b"* CAPABILITY ESEARCH\r\n", "SEARCH": b'* ESEARCH (TAG "x") UID ALL 1:4294967295\r\n'},
            "no IMAP",
        ),
        ({"FETCH": b"* 1 FETCH (UID 1 FLAGS ({9999999999}\r\n"}, "too much"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_server_that_talks_nonsense_is_told_from_others(desk: Desk, answers: dict[str, bytes], told: str) -> None:
    with talking(GREETING, answer=pretending(**answers)) as port:
        desk.account(port)
        with pytest.raises(TaskFailure, match=told):
            desk.run()


@pytest.mark.parametrize(
    "fetched",
    [
        b"* 1 FETCH (UID 1 FLAGS (\r\n",
        b"* 1 FETCH " + b"(" * 5000 + b"\r\n",
        b"* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.SIZE x BODYSTRUCTURE (((NIL)))\r\n",
        b'* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.SIZE 5 INTERNALDATE "yesterday" BODYSTRUCTURE ("a") '
        b"BODY[HEADER.FIELDS (SUBJECT)] {13}\r\nSubject: \xff\x00\r\n)\r\n",
    ],
)
@pytest.mark.usefixtures("impatient")
def test_an_answer_that_cannot_be_read_costs_one_message_its_contents_at_most(desk: Desk, fetched: bytes) -> None:
    with talking(GREETING, answer=pretending(FETCH=fetched)) as port:
        desk.account(port)
        desk.run()
    assert [item["server_id"] for item in desk.items()] in ([], [1])


@pytest.mark.usefixtures("impatient")
def test_a_folder_whose_name_holds_a_line_break_and_a_missing_list_of_subscriptions_stop_nothing(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    listed = b'* LIST () "/" {5}\r\na\r\nbc\r\n* LIST () "/" INBOX\r\n'
    fetched = (
        b'* 1 FETCH (UID 4294967295 FLAGS () INTERNALDATE "01-Jan-0000 00:00:00 +0000" RFC822.SIZE 4294967295 '
        b"BODYSTRUCTURE NIL BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nSubject: abc\r\n)\r\n"
    )

    def answer(line: bytes) -> bytes:
        known = pretending(LIST=listed, SEARCH=b"* SEARCH 4294967295\r\n", FETCH=fetched)
        return line.split()[0] + b" BAD what?\r\n" if b"LSUB" in line else known(line)

    with talking(GREETING, answer=answer) as port:
        desk.account(port)
        desk.run()
    assert [(item["server_id"], item["subject"], item["received_at"]) for item in desk.items()] == [
        (4294967295, "abc", None)
    ]
    assert any("the folder 'a\\r\\nbc' is left out" in record.getMessage() for record in caplog.records)


@pytest.mark.usefixtures("impatient")
def test_a_folder_over_which_the_server_hangs_up_does_not_stop_the_others(desk: Desk) -> None:
    listed = b'* LIST () "/" INBOX\r\n* LIST () "/" Bad\r\n* LIST () "/" Good\r\n'
    fetched = (
        b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 9 BODYSTRUCTURE NIL BODY[HEADER.FIELDS (SUBJECT)] {14}\r\n"
        b"Subject: abc\r\n)\r\n"
    )
    known = pretending(LIST=listed, SEARCH=b"* SEARCH 1\r\n", FETCH=fetched)

    def answer(line: bytes) -> bytes:
        if b"EXAMINE" in line and b"Bad" in line:
            raise OSError
        return known(line)

    with talking(GREETING, answer=answer, connections=2) as port:
        desk.account(port)
        with pytest.raises(TaskFailure, match="The folder 'Bad' cannot be read"):
            desk.run()
    assert [(item["folder"], item["subject"]) for item in desk.items()] == [("Good", "abc"), ("INBOX", "abc")]


def test_a_mistake_of_ours_in_one_account_is_told_when_the_others_are_read(
    desk: Desk, mail_server: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = desk.account(mail_server.port)
    desk.account(mail_server.port)
    mail_server.deliver(KARI, letters(2))
    really = Mailbox.update

    def update(mailbox: Mailbox, *arguments: Any) -> None:
        if mailbox.account_id == first:
            raise ValueError("never thought of")
        really(mailbox, *arguments)

    monkeypatch.setattr(Mailbox, "update", update)
    outcome = run_attempt(inbox, desk.context())
    assert isinstance(outcome, Failed)
    assert "never thought of" in outcome.detail
    assert "Traceback" not in outcome.message
    assert len(desk.items()) == 2
    statuses = desk.rows("SELECT account_status, error_reason FROM crm7.email_account ORDER BY email_account_id")
    assert [row["account_status"] for row in statuses] == [2, 4]
    assert statuses[0]["error_reason"] == "It cannot be read: something in it was not foreseen."


def test_a_token_is_sent_as_a_token(impatient: None) -> None:
    heard: list[bytes] = []

    def answer(line: bytes) -> bytes:
        heard.append(line)
        if b"AUTHENTICATE" in line:
            return b"+ \r\n"
        return pretending()(line) if b" " in line else b"B2 NO no\r\n"

    with talking(GREETING, answer=answer) as port:
        login = Login(host="127.0.0.1", port=port, username="kari", secret="tok", with_token=True)
        with pytest.raises(Exception, match="refused the access token"), really_open(login):
            pass
    assert b"dXNlcj1rYXJpAWF1dGg9QmVhcmVyIHRvawEB" in heard
