"""A mail server that keeps what it accepted, and answers whether it has a message."""

from __future__ import annotations

import random
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser

SEED = 20260401


class Mailbox(socketserver.ThreadingTCPServer):
    """Messages by their ids, in the order in which they came; one that came twice is there twice."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.messages: list[str] = []
        self.answers: list[bool] = []  #: to whether it has a message
        self.chance = random.Random(SEED)
        self.sessions: set[object] = set()
        self.changed = threading.Condition()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def accept(self, body: bytes) -> None:
        message = BytesParser().parsebytes(body, headersonly=True)
        with self.changed:
            self.messages.append(str(message["Message-ID"]))

    def has(self, message_id: str, asking: object) -> bool:
        """Answer when nothing is under way that began before: else "no" would be true only for now."""
        with self.changed:
            before = self.sessions - {asking}
            self.changed.wait_for(lambda: not before & self.sessions)
            self.answers.append(f"<{message_id.strip('<>')}>" in self.messages)  # smtplib asks without the brackets
            return self.answers[-1]


class _Session(socketserver.StreamRequestHandler):
    """Just so much of SMTP as smtplib speaks: https://www.rfc-editor.org/rfc/rfc5321#section-4.1"""

    server: Mailbox

    def handle(self) -> None:
        with self.server.changed:
            self.server.sessions.add(self)
        try:
            self._say("220 ready")
            while line := self.rfile.readline():
                self._answer(line.decode().strip())
        except OSError:
            pass  # the client was killed
        finally:
            with self.server.changed:
                self.server.sessions.discard(self)
                self.server.changed.notify_all()

    def _answer(self, line: str) -> None:
        match line.upper().split():
            case ["DATA"]:
                self._say("354 go on")
                body = self._body()
                if body is not None:
                    self._pause()
                    self.server.accept(body)
                    self._pause()
                    self._say("250 accepted")
            case ["VRFY", _]:
                self._say("250 here" if self.server.has(line.split()[1], self) else "550 unknown")
            case ["QUIT"]:
                self._say("221 bye")
            case _:
                self._say("250 ok")

    def _body(self) -> bytes | None:
        """Everything up to the line with a single dot; None if the connection ends before."""
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line)
        return None

    def _pause(self) -> None:
        """Before and behind the moment that counts, so that kills hit both."""
        time.sleep(self.server.chance.uniform(0, 0.01))

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def running_mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        thread = threading.Thread(target=mailbox.serve_forever, daemon=True)
        thread.start()
        yield mailbox
        mailbox.shutdown()
        thread.join()
