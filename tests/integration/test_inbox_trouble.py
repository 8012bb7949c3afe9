"""Accounts that cannot be read, servers that talk nonsense, and mail that nobody should have sent."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from batchtask.definitions import TaskFailure
from batchtask.local.dovecot import Dovecot
from batchtask.local.processes import free_port
from batchtask.outcomes import Failed, Succeeded
from batchtask.sealing import Sealer
from batchtask.testing import run_attempt
from tests.inbox_support import KARI, NOW, OWNER, PASSWORD, Desk, letter, letters
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
def talking(*said: bytes, answer: Callable[[bytes], bytes] = lambda _: b"") -> Iterator[int]:
    """Run a server that says something at once, and then an answer to every line; give its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_talk, args=(listening, b"".join(said), answer), daemon=True).start()
        yield listening.getsockname()[1]


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


@pytest.mark.parametrize(("values", "missing"), [({"server": ""}, "mail server"), ({"password": ""}, "password")])
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


UGLY = {
    "nothing": b"",
    "no header": b"\r\nonly text\r\n",
    "nul": b"Subject: a\0b\r\nFrom: x\0@y.example\r\n\r\nte\0xt\r\n",
    "raw latin-1": b"Subject: bl\xe5b\xe6r\r\nFrom: P\xe5l <pal@y.example>\r\n\r\n\xe6\xf8\xe5\r\n",
    "broken words": b"Subject: =?utf-8?B?w6X=?= =?nope?Q?=FF?= =?utf-8?B?!?=\r\n\r\nx\r\n",
    "bad date": b"Date: Tomorrow, maybe\r\nSubject: bad date\r\n\r\nx\r\n",
    "far date": b"Date: Mon, 1 Jan 9999 00:00:00 -2359\r\nSubject: far\r\n\r\nx\r\n",
    "bad charset": b"Content-Type: text/plain; charset=klingon\r\nSubject: charset\r\n\r\nbl\xe5\r\n",
    "bad base64": b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!Zm9v YmFy=\r\n",
    "no end": b"Content-Type: multipart/mixed; boundary=b\r\nSubject: no end\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\nCon",
    "long subject": b"Subject: " + "å".encode() * 3000 + b"\r\n\r\nx\r\n",
    "many lines": b"".join(b"X-Line-%d: %d\r\n" % (n, n) for n in range(10_000)) + b"Subject: behind\r\n\r\nx\r\n",
    "many people": b"Subject: all\r\nTo: "
    + b",\r\n ".join(b"n%d@y.example" % n for n in range(4000)) + b"\r\n\r\nx\r\n",
    "year 0": b"Date: Sat, 01 Jan 0000 00:00:00 +0000\r\nSubject: far back\r\n\r\nx\r\n",
    "long sender": b'From: "' + b"x" * 5000 + b'" <a@b.example>\r\nSubject: sender\r\n\r\nx\r\n',
    "injection": b"Subject: =?utf-8?Q?a=0D=0ABcc:_b=40c.example?=\r\n"
    b"From: =?utf-8?B?YQ0KYg==?= <a@b.example>\r\n\r\nx\r\n",
    "parentheses": b"Subject: par\r\nFrom: " + b"(" * 5000 + b"a@b.example\r\n\r\nx\r\n",
    "long id": b"Message-ID: <" + b"i" * 2000 + b"@x>\r\nSubject: id\r\n\r\nx\r\n",
    "deep": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300)
    ) + b"\r\ndeep\r\n",
    "calendar": b"Subject: Meeting\r\nContent-Type: text/calendar; charset=utf-8; method=REQUEST\r\n"
    b"\r\nBEGIN:VCALENDAR\r\n",
    "html": b"Subject: html\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n"
    b"<p>Bl\xe5b\xe6r<script>x()</script><p>og\r\n",
    "attachment": b"Subject: file\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
    b"Content-Type: application/pdf\r\n"
    b"Content-Disposition: attachment; filename*0*=utf-8''%C3%A5; filename*1=.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n--b--\r\n",
}  # fmt: skip


def test_no_mail_however_ugly_stops_a_folder(
    desk: Desk, mail_server: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    desk.account(mail_server.port)
    mail_server.deliver(KARI, [(octets, NOW) for octets in UGLY.values()])
    mail_server.deliver(KARI, letters(1))
    assert f"{len(UGLY) + 1} new messages" in str(desk.run())
    items = dict(zip([*UGLY, "letter"], desk.items(), strict=True))
    assert items["raw latin-1"]["subject"] == "blåbær"
    assert items["raw latin-1"]["from"] == "Pål <pal@y.example>"
    assert items["raw latin-1"]["plain_body"] == "æøå\r\n"
    assert items["bad charset"]["plain_body"] == "blå\r\n"
    assert items["bad date"]["sent_at"] is None
    assert items["far date"]["sent_at"] is None
    assert items["year 0"]["sent_at"] is None
    assert items["long sender"]["from"] == "x" * 3999 + "…"
    assert (items["injection"]["subject"], items["injection"]["from"]) == ("a Bcc: b@c.example", "a b <a@b.example>")
    assert len(items["long subject"]["subject"]) == 255
    assert items["many lines"]["subject"] == "behind"
    assert len(items["many people"]["to"]) <= 4000
    assert items["many people"]["to"].endswith("…")
    assert items["calendar"]["cal_data"] == "BEGIN:VCALENDAR\r\n"
    assert items["html"]["plain_body"] == "Blåbær\n\nog"
    assert items["attachment"]["has_attachment"] == 1
    assert desk.rows("SELECT filename, size FROM crm7.email_attachment WHERE filename <> ''") == [
        {"filename": "å.pdf", "size": 5}
    ]
    said = [record.getMessage() for record in caplog.records]
    assert any("its date cannot be read" in line and "INBOX: message" in line for line in said)


def test_a_large_attachment_is_not_fetched(desk: Desk, mail_server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    from worker.tasks.inbox.imap.wire import Wire

    received: list[int] = []
    really = Wire._receive

    def counted(wire: Wire) -> None:
        before = len(wire._buffer)
        really(wire)
        received.append(len(wire._buffer) - before)

    monkeypatch.setattr(Wire, "_receive", counted)
    big = letter(1).replace(b"Content-Type: text/plain", b'Content-Type: application/zip; name="a.zip"')
    desk.account(mail_server.port)
    mail_server.deliver(KARI, [(big + b"x" * 76 * 100_000, NOW)])
    desk.run()
    assert sum(received) < 20_000
    assert desk.items()[0]["size"] > 7_000_000


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
