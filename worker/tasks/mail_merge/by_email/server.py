"""The mail server: connecting safely, and handing over one mail in two steps, so that it is known what is not.

Up to the full stop that ends its text a mail can be taken back by hanging up; only between that and the server's
answer nobody knows. https://www.rfc-editor.org/rfc/rfc5321#section-4.2.5
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from batchtask.definitions import TaskFailure
from worker.tasks.mail_merge.by_email.accounts import Account
from worker.tasks.mail_merge.by_email.definition import MailServerAway
from worker.tasks.mail_merge.by_email.mail_addresses import MailAddress
from worker.tasks.mail_merge.by_email.placeholders import one_line

_TLS_PORT = 465
_CLOSING = 421
#: For an answer. The standard asks for minutes, but a user waits, and whoever is slow is asked again.
ANSWER_SECONDS = 60.0
#: For the answer to a mail's end, before which a server may look for viruses: hanging up leaves the mail in doubt for
#: ever. https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.6
END_SECONDS = 600.0
_LINE_STARTS_WITH_DOT = re.compile(rb"^\.", re.MULTILINE)


class AnswerLost(Exception):
    """The connection ended between a mail's full stop and the answer: it was taken, or it was not."""


@dataclass(frozen=True)
class Refusal:
    """The server does not take a mail."""

    code: int
    text: str
    at_recipient: bool = False  #: it said so when it heard the recipient's address

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def of_address(self) -> bool:
        """True if it is the address that it does not like, not its sender or the server's rules.

        A server that relays nothing for strangers would else have every address marked as bad:
        https://www.rfc-editor.org/rfc/rfc3463#section-3.8
        """
        return self.at_recipient and not self.text.startswith(("4.7.", "5.7."))

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class MailServer:
    """One connection, made when it is needed and again after it broke. Close it at the end.

    Args:
        account: With the server's name and the login.
        encryption: See the parameter of this name.
    """

    def __init__(self, account: Account, encryption: str) -> None:
        self._account = account
        self._encryption = encryption
        self._smtp: smtplib.SMTP | None = None
        self._offering = False  #: the server reads a mail's text, and would take a farewell for a part of it

    def connect(self) -> None:
        """Connect and log in, if we are not.

        Raises:
            MailServerAway: It does not answer.
            TaskFailure: It does not want us, or cannot be trusted.
        """
        with self._speaking():
            pass

    def offer(self, recipient: MailAddress, message: bytes) -> Refusal | None:
        """Do everything but the last step: name the recipient, give the text, without its end.

        Returns:
            Why the server does not want it; None if it waits for `finish` (or `hang_up`).

        Raises:
            MailServerAway: The connection could not be made, or broke. Nothing was sent.
            TaskFailure: It accepts no mails from us at all.
        """
        with self._speaking() as smtp:
            international = recipient.is_international or self._account.address.is_international
            options = ["SMTPUTF8"] if international else []
            if options and not smtp.has_extn("smtputf8"):
                return Refusal(553, "the mail server takes no addresses with letters beyond ASCII", at_recipient=True)
            if refusal := self._refusal(smtp.mail(str(self._account.address), options)):
                return self._check_sender(refusal)
            if refusal := self._refusal(smtp.rcpt(str(recipient)), at_recipient=True):
                return self._forget(refusal)
            code, text = smtp.docmd("DATA")
            if code != 354:
                return self._forget(self._refusal((code, text)))
            self._offering = True
            smtp.send(_LINE_STARTS_WITH_DOT.sub(b"..", message))
            return None

    def finish(self) -> Refusal | None:
        """End the mail's text: from now on it may have been sent.

        Raises:
            AnswerLost: The connection ended without an answer.
        """
        assert self._smtp is not None
        try:
            assert self._smtp.sock is not None
            self._smtp.sock.settimeout(END_SECONDS)
            self._smtp.send(b".\r\n")
            self._offering = False
            code, text = self._smtp.getreply()
            self._smtp.sock.settimeout(ANSWER_SECONDS)
        except OSError as error:
            self.hang_up()
            raise AnswerLost(str(error)) from error
        if code == _CLOSING:  # a clear no, unlike a connection that just ends
            self.hang_up()
        return None if code < 300 else Refusal(code, _words(text))

    def hang_up(self) -> None:
        """End the connection at once; a mail that was only offered is forgotten by the server."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None
        self._offering = False

    def close(self) -> None:
        if self._smtp is not None and not self._offering:
            with contextlib.suppress(OSError):
                self._smtp.quit()
        self.hang_up()

    @contextmanager
    def _speaking(self) -> Iterator[smtplib.SMTP]:
        """Any break, and "421 closing", means that the server is away."""
        try:
            if self._smtp is None:
                self._smtp = self._connect()
            yield self._smtp
        except _Closing as error:
            self.hang_up()
            raise MailServerAway(
                f"The mail server {self._account.server} is busy ({error}): try again later."
            ) from error
        except OSError as error:  # smtplib's own errors are of this kind, too
            self.hang_up()
            raise MailServerAway(
                f"The mail server {self._account.server} broke the connection ({_cause(error)}): try again later."
            ) from error

    def _refusal(self, reply: tuple[int, bytes], *, at_recipient: bool = False) -> Refusal | None:
        code, text = reply
        if code == _CLOSING:
            raise _Closing(f"{code} {_words(text)}")
        return None if code in {250, 251} else Refusal(code, _words(text), at_recipient)

    def _forget(self, refusal: Refusal | None) -> Refusal | None:
        """Begin anew behind a refusal, which counts even if the server hangs up with it."""
        try:
            if self._smtp is not None:
                self._smtp.rset()
        except OSError:
            self.hang_up()
        return refusal

    def _check_sender(self, refusal: Refusal) -> Refusal:
        if not refusal.is_temporary:
            raise TaskFailure(
                f"The mail server {self._account.server} takes no mails from {self._account.address} ({refusal}): "
                "check the mail account."
            )
        return refusal

    def _connect(self) -> smtplib.SMTP:
        smtp = self._open()
        try:
            # A mail's end is sent by itself; it must not wait until the server has acknowledged the text (40 ms).
            assert smtp.sock is not None
            smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._log_in(smtp)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _open(self) -> smtplib.SMTP:
        account = self._account
        try:
            return self._open_encrypted()
        except ssl.SSLCertVerificationError as error:
            raise TaskFailure(
                f"The certificate of the mail server {account.server} is not trusted ({error.verify_message}): "
                "ask an administrator to have it renewed, or to trust its issuer."
            ) from error
        except ssl.SSLError as error:
            raise TaskFailure(
                f"No encrypted connection to the mail server {account.server} ({error.reason or error}): "
                "check the port of the mail account."
            ) from error
        except OSError as error:
            raise MailServerAway(
                f"The mail server {account.server} cannot be reached ({_cause(error)}): check server and port of the "
                "mail account, or try again later."
            ) from error

    def _open_encrypted(self) -> smtplib.SMTP:
        host, port = self._account.host, self._account.port
        if self._encryption == "tls" or (self._encryption == "auto" and port == _TLS_PORT):
            return smtplib.SMTP_SSL(host, port, timeout=ANSWER_SECONDS, context=ssl.create_default_context())
        smtp = smtplib.SMTP(host, port, timeout=ANSWER_SECONDS)
        try:
            smtp.ehlo_or_helo_if_needed()
            if self._encryption != "none":
                self._encrypt(smtp)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _encrypt(self, smtp: smtplib.SMTP) -> None:
        if smtp.has_extn("starttls"):
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        elif self._encryption == "starttls" or not _is_this_machine(self._account.host):
            raise TaskFailure(
                f"The mail server {self._account.server} offers no encryption: use its port for TLS (465), or allow "
                'it with encryption "none".'
            )

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        account = self._account
        if not account.username:
            return
        try:
            smtp.login(account.username, account.password)
        except smtplib.SMTPAuthenticationError as error:
            if 400 <= error.smtp_code < 500:
                raise MailServerAway(
                    f"The mail server {account.server} cannot check the login now ({_reply(error)}): try again later."
                ) from error
            raise TaskFailure(
                f"The mail server {account.server} refuses the login of {account.username} ({_reply(error)}): "
                "check name and password of the mail account."
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise TaskFailure(
                f"The mail server {account.server} takes no logins on this connection: check the port of the mail "
                "account, or remove its user name."
            ) from error


class _Closing(OSError):
    """The server said 421: it closes the connection, because it is busy or about to stop."""


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _words(text: bytes) -> str:
    return one_line(text.decode("utf-8", "replace"))


def _reply(error: smtplib.SMTPResponseException) -> str:
    text = error.smtp_error
    return f"{error.smtp_code} {_words(text) if isinstance(text, bytes) else text}"


def _cause(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error)
    return one_line(error.strerror or str(error)) or type(error).__name__
