"""A mail server in this process: it keeps what it takes, and refuses, stalls and hangs up as a test says."""

from __future__ import annotations

import socket
import ssl
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HANG_UP = "hang up"  #: in place of an answer


class MailServer:
    """What came, and what to answer."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[str] = []  #: of the envelopes, in order
        self.at_recipient: dict[str, deque[str]] = defaultdict(deque)  #: answers to RCPT by address, each given once
        self.at_end: dict[str, deque[str]] = defaultdict(deque)  #: answers to the mail; what hangs up has taken it
        self.at_sender = ""  #: answer to every MAIL; "" = a welcome
        self.refused_mails = ""  #: answer to every mail's end; "" = it is taken
        self.accepted: Callable[[int], None] = lambda count: None  #: called before the answer to a mail
        self.logins: list[tuple[str, str]] = []
        self.encrypted: list[bool] = []  #: of each mail's connection
        self.wants_login = False
        self.port = 0

    async def handle_MAIL(  # noqa: N802 - names are aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_sender:
            return self.at_sender
        if self.wants_login and not session.authenticated:
            return "530 5.7.0 authentication required"
        envelope.mail_from = address
        envelope.smtp_utf8 = "SMTPUTF8" in options
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_recipient[address]:
            answer = self.at_recipient[address].popleft()
            if answer == HANG_UP or answer.startswith("421"):
                self._hang_up(server)
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refused_mails:
            return self.refused_mails
        [recipient] = envelope.rcpt_tos
        answer = self.at_end[recipient].popleft() if self.at_end[recipient] else "250 taken"
        if answer == HANG_UP or answer.startswith("250"):
            self._keep(recipient, envelope, server)
            self.accepted(len(self.messages))
        if answer == HANG_UP:
            self._hang_up(server)
        return answer

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: Any
    ) -> AuthResult:
        assert isinstance(login, LoginPassword)
        self.logins.append((login.login.decode(), login.password.decode()))
        return AuthResult(success=login.password == b"secret", handled=False)

    def _keep(self, recipient: str, envelope: Envelope, server: SMTP) -> None:
        content = envelope.original_content or b""
        self.raw.append(content)
        # Headers in UTF-8 are read from text only.
        message = message_from_string(content.decode(), policy=default)
        assert isinstance(message, EmailMessage)
        self.recipients.append(recipient)
        self.messages.append(message)
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)

    def _hang_up(self, server: SMTP) -> None:
        assert server.transport is not None
        server.transport.abort()


@contextmanager
def running_mail_server(
    *, tls: str = "", login: bool = False, certificate: trustme.LeafCert | None = None, port: int = 0
) -> Iterator[MailServer]:
    """Run a server.

    Args:
        tls: "" for none, "starttls", or "tls" for TLS from the start.
        login: Only who logs in with the password "secret" may send.
        certificate: For TLS.
        port: To listen on; 0 = any.
    """
    mails = MailServer()
    mails.port = port or free_port()
    mails.wants_login = login
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
    controller = Controller(
        mails,
        hostname="127.0.0.1",
        port=mails.port,
        ssl_context=context if tls == "tls" else None,
        tls_context=context if tls == "starttls" else None,
        authenticator=mails.authenticate if login else None,
        auth_require_tls=not login,
        enable_SMTPUTF8=True,
    )
    controller.start()
    try:
        yield mails
    finally:
        controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_authority(path: Path) -> trustme.CA:
    """Make an authority and write its certificate where OpenSSL looks if SSL_CERT_FILE says so."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(path))
    return authority
