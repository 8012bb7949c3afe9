"""How the mail server is spoken to: encryption, logins, and what a user reads when it does not work."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from batchtask.definitions import TaskFailure
from tests.mail_server import free_port, running_mail_server, write_authority
from worker.tasks.mail_merge.by_email import server as module
from worker.tasks.mail_merge.by_email.accounts import Account
from worker.tasks.mail_merge.by_email.definition import MailServerAway
from worker.tasks.mail_merge.by_email.mail_addresses import MailAddress
from worker.tasks.mail_merge.by_email.server import MailServer

OLE = MailAddress("ole", "example.test")
MAIL = b"Subject: x\r\n\r\n.dot\r\n..two\r\n"


def account(port: int, *, host: str = "127.0.0.1", username: str = "", password: str = "secret") -> Account:
    address = MailAddress("kari", "sender.example")
    return Account(address=address, host=host, port=port, username=username, password=password)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return write_authority(tmp_path / "authority.pem")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the server ran on another machine."""
    monkeypatch.setattr(module, "_is_this_machine", lambda host: False)
    return iter(())


def hand_over(to: Account, encryption: str = "auto") -> None:
    server = MailServer(to, encryption)
    try:
        assert server.offer(OLE, MAIL) is None
        assert server.finish() is None
    finally:
        server.close()


@pytest.mark.parametrize(("tls", "encryption"), [("starttls", "auto"), ("starttls", "starttls"), ("tls", "tls")])
def test_mails_and_password_travel_encrypted(authority: trustme.CA, tls: str, encryption: str) -> None:
    certificate = authority.issue_cert("127.0.0.1")
    with running_mail_server(tls=tls, login=True, certificate=certificate) as mails:
        hand_over(account(mails.port, username="kari"), encryption)
    assert mails.encrypted == [True]
    assert mails.logins == [("kari", "secret")]


def test_lines_that_begin_with_a_dot_arrive_as_they_are() -> None:
    with running_mail_server() as mails:
        hand_over(account(mails.port))
    assert mails.raw == [MAIL]


def test_without_encryption_nothing_is_sent_to_another_machine(elsewhere: None) -> None:
    with running_mail_server(login=True) as mails:
        with pytest.raises(TaskFailure, match="offers no encryption: use its port for TLS"):
            hand_over(account(mails.port, username="kari"))
        assert mails.logins == []
        hand_over(account(mails.port, username="kari"), "none")
    assert mails.encrypted == [False]


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(authority: trustme.CA, tls: str) -> None:
    stranger = trustme.CA().issue_cert("127.0.0.1")
    with (
        running_mail_server(tls=tls, login=True, certificate=stranger) as mails,
        pytest.raises(TaskFailure, match=r"certificate of the mail server 127.0.0.1:\d+ is not trusted"),
    ):
        hand_over(account(mails.port, username="kari"), tls)
    assert mails.logins == []


def test_a_certificate_of_another_name_is_refused(authority: trustme.CA) -> None:
    other = authority.issue_cert("other.example")
    with (
        running_mail_server(tls="starttls", certificate=other) as mails,
        pytest.raises(TaskFailure, match="IP address mismatch"),
    ):
        hand_over(account(mails.port))


def test_a_wrong_password_is_told() -> None:
    with (
        running_mail_server(login=True) as mails,
        pytest.raises(TaskFailure, match=r"refuses the login of kari .*check name and password") as caught,
    ):
        hand_over(account(mails.port, username="kari", password="wrong"))
    assert not isinstance(caught.value, MailServerAway)


def test_a_server_without_logins_is_told() -> None:
    with running_mail_server() as mails, pytest.raises(TaskFailure, match="takes no logins on this connection"):
        hand_over(account(mails.port, username="kari"))


def test_a_server_that_is_not_there_is_told_and_worth_another_attempt() -> None:
    with pytest.raises(MailServerAway, match=r"127.0.0.1:\d+ cannot be reached \(Connection refused\)"):
        hand_over(account(free_port()))
    with pytest.raises(MailServerAway, match=r"nowhere.invalid:587 cannot be reached"):
        hand_over(account(587, host="nowhere.invalid"))


def test_a_server_that_speaks_no_tls_on_its_tls_port_is_told() -> None:
    with (
        running_mail_server() as mails,
        pytest.raises(TaskFailure, match="No encrypted connection to the mail server"),
    ):
        hand_over(account(mails.port), "tls")


def test_a_sender_that_the_server_does_not_know_ends_the_mailing() -> None:
    with running_mail_server() as mails:
        mails.at_sender = "553 5.7.1 sender not owned by user"
        with pytest.raises(TaskFailure, match=r"takes no mails from kari@sender.example \(553 5.7.1 sender"):
            hand_over(account(mails.port))


def test_a_mail_that_was_only_offered_is_not_sent() -> None:
    with running_mail_server() as mails:
        server = MailServer(account(mails.port), "auto")
        assert server.offer(OLE, MAIL) is None
        server.close()
        hand_over(account(mails.port))
    assert len(mails.raw) == 1


def test_a_server_that_thinks_about_a_mail_for_long_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    with running_mail_server() as mails:
        mails.accepted = lambda count: time.sleep(1)  # in the server's thread: it looks for viruses
        hand_over(account(mails.port))
    assert mails.recipients == ["ole@example.test"]


def test_an_address_in_other_letters_needs_a_server_that_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_mail_server() as mails:
        server = MailServer(account(mails.port), "auto")
        assert server.offer(MailAddress("δοκιμή", "example.test"), MAIL) is None
        assert server.finish() is None
        monkeypatch.setattr(smtplib.SMTP, "has_extn", lambda smtp, name: False)
        refusal = server.offer(MailAddress("δοκιμή", "example.test"), MAIL)
        server.close()
    assert mails.recipients == ["δοκιμή@example.test"]
    assert refusal is not None
    assert refusal.code == 553
