"""One connection that carries IMAP's lines. Nothing it does waits for ever or reads without a bound."""

from __future__ import annotations

import re
import socket
import time

from worker.tasks.inbox.imap.tokens import Literal
from worker.tasks.inbox.problems import ServerConfused, ServerSilent, ServerUnreachable

#: A server may say nothing for so long, and take so long for one command in all. Guesses: a mailbox of a million
#: messages that nobody indexed takes a minute to open.
SILENCE_SECONDS, COMMAND_SECONDS = 60.0, 300.0
#: The longest response that is read: the numbers of a million messages. No literal that is asked for is longer.
LONGEST_RESPONSE_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024

_LITERAL = re.compile(rb"~?\{(\d{1,19})\+?\}$")


class Wire:
    """A connected socket, read by responses.

    Args:
        connected: The socket, which is ours to close.
        server: Its name, for the user.
    """

    def __init__(self, connected: socket.socket, server: str, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self.server = server
        self.silence_seconds = silence_seconds
        self.socket = connected
        self._buffer = bytearray()
        self._deadline = time.monotonic() + COMMAND_SECONDS

    def send(self, line: bytes) -> None:
        """Send a line; the time for its answer begins.

        Raises:
            ServerUnreachable: The connection is broken.
        """
        self._deadline = time.monotonic() + COMMAND_SECONDS
        try:
            self.socket.settimeout(self.silence_seconds)
            self.socket.sendall(line + b"\r\n")
        except OSError as error:
            raise self._broken(error) from error

    def read(self) -> list[bytes | Literal]:
        """Read one response: a line, and the literals in it.

        Raises:
            ServerUnreachable: The connection broke, or the answer took too long.
            ServerConfused: The response is too long.
        """
        chunks: list[bytes | Literal] = []
        left = LONGEST_RESPONSE_BYTES
        while True:
            line = self._line(left)
            left -= len(line)
            announced = _LITERAL.search(line)
            if announced is None:
                return [*chunks, line]
            length = int(announced[1])
            if length > left:
                raise ServerConfused(f"The mail server {self.server} sends a piece of {length} bytes: too much.")
            chunks += [line[: announced.start()], Literal(self._take(length))]
            left -= length

    def close(self) -> None:
        self.socket.close()

    def forget(self) -> None:
        """Drop what came before TLS began: somebody else may have put it there."""
        self._buffer.clear()

    def _line(self, longest: int) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > longest:
                raise ServerConfused(f"The mail server {self.server} sends a line without an end.")
            self._receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _receive(self) -> None:
        try:
            self.socket.settimeout(self._patience())
            received = self.socket.recv(CHUNK_BYTES)
        except OSError as error:
            raise self._broken(error) from error
        if not received:
            raise ServerUnreachable(f"The mail server {self.server} closed the connection.")
        self._buffer += received

    def _patience(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, self.silence_seconds)

    def _broken(self, error: OSError) -> ServerUnreachable:
        if isinstance(error, TimeoutError):
            return ServerSilent(f"The mail server {self.server} does not answer in time.")
        return ServerUnreachable(
            f"The connection to the mail server {self.server} broke ({error.strerror or error})."
        )
