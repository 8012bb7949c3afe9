"""From nothing to a session: the connection, TLS with a certificate that is checked, and the login."""

from __future__ import annotations

import base64
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from worker.tasks.inbox.imap.names import quoted
from worker.tasks.inbox.imap.session import Session
from worker.tasks.inbox.imap.wire import SILENCE_SECONDS, Wire
from worker.tasks.inbox.problems import (
    AccountProblem,
    CommandRefused,
    LoginRefused,
    ServerConfused,
    ServerNotTrusted,
    ServerUnreachable,
)

IMAPS_PORT, IMAP_PORT = 993, 143
CONNECT_SECONDS = 20.0
#: The password was not found wrong: https://www.rfc-editor.org/rfc/rfc5530#section-3. Some say so in words only.
_NOT_NOW = re.compile(r"\[(UNAVAILABLE|SERVERBUG|INUSE|LIMIT)\b|too many (simultaneous )?connections", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Login:
    """Where an account is, and who asks."""

    host: str
    port: int  #: 993 is TLS from the start; any other begins plain and changes to TLS
    username: str
    secret: str = field(repr=False)  #: password, or token
    with_token: bool = False  #: OAuth: `secret` is an access token

    @property
    def server(self) -> str:
        return f"{self.host}:{self.port}"


@contextmanager
def open_session(login: Login, *, silence_seconds: float = SILENCE_SECONDS) -> Iterator[Session]:
    """Log in, and out at the end.

    Raises:
        ServerUnreachable: Nobody answers there, or not in time.
        ServerNotTrusted: The certificate is wrong, or there is no TLS; the password was not sent.
        LoginRefused: Wrong name or password.
        ServerConfused: It speaks no IMAP.
    """
    wire = Wire(_connect(login), login.server, silence_seconds=min(silence_seconds, CONNECT_SECONDS))
    try:
        if login.port == IMAPS_PORT:
            _start_tls(wire, login)
        session = Session(wire)
        _read_greeting(wire, login)
        session.read_capabilities()
        if login.port != IMAPS_PORT:
            _secure(wire, session, login)
        _log_in(session, login)
        session.read_capabilities()  # many servers tell some only now
        wire.silence_seconds = silence_seconds
        yield session
        session.logout()
    finally:
        wire.close()


def _connect(login: Login) -> socket.socket:
    try:
        return socket.create_connection((login.host, login.port), CONNECT_SECONDS)
    except (socket.gaierror, UnicodeError) as error:
        raise ServerUnreachable(f"There is no mail server {login.host}: check its name.") from error
    except TimeoutError as error:
        raise ServerUnreachable(f"The mail server {login.server} does not answer.") from error
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServerUnreachable(f"The mail server {login.server} cannot be reached ({reason}).") from error


def _start_tls(wire: Wire, login: Login) -> None:
    # Trusts what OpenSSL is told to: the system's authorities, or those that SSL_CERT_FILE names.
    try:
        wire.socket = ssl.create_default_context().wrap_socket(wire.socket, server_hostname=login.host)
    except ssl.SSLCertVerificationError as error:
        raise ServerNotTrusted(
            f"The certificate of the mail server {login.server} is not valid ({error.verify_message}); "
            "the password was not sent."
        ) from error
    except (TimeoutError, ConnectionError) as error:
        raise ServerUnreachable(f"The mail server {login.server} does not answer in time.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ServerNotTrusted(f"No safe connection to the mail server {login.server} ({reason}).") from error


def _read_greeting(wire: Wire, login: Login) -> None:
    greeting = wire.read()[0]
    if not isinstance(greeting, bytes) or not greeting.upper().startswith(b"* OK"):
        said = greeting[:60] if isinstance(greeting, bytes) else b""
        raise ServerConfused(f"What answers at {login.server} is no mail server that lets us in: {said!r}.")


def _secure(wire: Wire, session: Session, login: Login) -> None:
    """Change to TLS; a plain connection is good enough only within this machine."""
    if b"STARTTLS" in session.capabilities:
        session.continued(b"STARTTLS", ())
        wire.forget()
        _start_tls(wire, login)
        session.read_capabilities()
    elif not _is_this_machine(wire.socket):
        raise ServerNotTrusted(
            f"The mail server {login.server} offers no encryption, so the password was not sent; "
            f"try port {IMAPS_PORT}."
        )


def _is_this_machine(connected: socket.socket) -> bool:
    try:
        return ipaddress.ip_address(connected.getpeername()[0]).is_loopback
    except OSError:
        return False  # it is gone already


def _log_in(session: Session, login: Login) -> None:
    try:
        if login.with_token:
            _authenticate(session, b"XOAUTH2", f"user={login.username}\1auth=Bearer {login.secret}\1\1")
        elif b"AUTH=PLAIN" in session.capabilities:
            _authenticate(session, b"PLAIN", f"\0{login.username}\0{login.secret}")
        elif b"LOGINDISABLED" in session.capabilities:
            raise ServerNotTrusted(
                f"The mail server {login.server} takes no passwords, so none was sent; sign in with an access token."
            )
        else:
            command = b"LOGIN " + quoted(login.username.encode()) + b" " + quoted(login.secret.encode())
            session.continued(command, ())
    except ValueError as error:
        raise LoginRefused("The user name or password of the account holds a line break: enter it anew.") from error
    except CommandRefused as error:
        raise _refusal(login, error) from error


def _refusal(login: Login, error: CommandRefused) -> AccountProblem:
    """Tell a wrong password from a server that has no time for anybody."""
    if _NOT_NOW.search(error.said):
        return ServerUnreachable(f"The mail server {login.server} lets nobody in at this moment: {error.said}")
    what = "access token" if login.with_token else "user name or password"
    return LoginRefused(f"The mail server {login.server} refused the {what} of {login.username}: enter it anew.")


def _authenticate(session: Session, mechanism: bytes, response: str) -> None:
    # The answer waits until the server asks for it, because not every server takes it in the same line.
    session.continued(b"AUTHENTICATE " + mechanism, [base64.b64encode(response.encode())])
