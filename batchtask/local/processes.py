"""One server process: start it, wait until it answers, stop it, kill it.

Between the caller and the server stands a watchdog (`watchdog.py`), so that the server ends with the caller
however the caller ends. Read `rabbitmq.py` or `postgres.py` next.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from batchtask.local import watchdog
from batchtask.local.errors import SourceFailed

START_SECONDS = 90.0  #: measured: RabbitMQ 3.10 takes 5 s on an idle machine and 19 s on a busy one
STOP_SECONDS = 20.0  #: then SIGKILL; measured: an orderly stop of RabbitMQ takes 1 to 3 s
POLL_SECONDS = 0.05
LOG_LINES = 15  #: of a failed server, shown to the user
COMPLAINT = re.compile("error|fatal|failed", re.IGNORECASE)

#: Below the ranges from which systems hand out client ports, so that no outgoing connection takes a port
#: between our look and the server's bind.
PORTS = range(20000, 32000)


@dataclass(frozen=True)
class Account:
    """The system account a server runs as, when not the caller's own."""

    name: str
    uid: int
    gid: int


class ServerProcess:
    """A server under a watchdog. May be started again after it was stopped or killed."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        environ: Mapping[str, str],
        log: Path,
        stop_signal: int = signal.SIGTERM,
        account: Account | None = None,
    ) -> None:
        self._command = [str(part) for part in command]
        self._environ = dict(environ)
        self._log = log
        self._stop_signal = stop_signal
        self._account = account
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._watchdog is not None and self._watchdog.poll() is None

    def start(self, is_ready: Callable[[], bool]) -> None:
        """Start the server and return when it answers.

        Raises:
            SourceFailed: It ended by itself or did not answer in time; nothing is left running.
        """
        with self._log.open("ab") as log:
            self._lock(log)
            log.truncate(0)
            self._watchdog = self._spawn(log)
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            self._await(is_ready)
            undo.pop_all()

    def stop(self) -> None:
        """Stop in order, then by force; harmless when it does not run."""
        self._order(watchdog.STOP)

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        self._order(watchdog.KILL)

    def _spawn(self, log: BinaryIO) -> subprocess.Popen[bytes]:
        wanted: watchdog.Wanted = {
            "command": self._command,
            "stop_signal": int(self._stop_signal),
            "stop_seconds": STOP_SECONDS,
            "uid": self._account.uid if self._account else None,
            "gid": self._account.gid if self._account else None,
        }
        return subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, json.dumps(wanted)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd="/",
            env=self._environ,
            start_new_session=True,  # Ctrl-C reaches the caller alone, which then stops servers in order
        )

    def _lock(self, log: BinaryIO) -> None:
        # The server inherits the open log, and with it the lock: it is free again when nothing of an earlier
        # run on the same directory is left, even if that run's caller was killed.
        deadline = time.monotonic() + STOP_SECONDS
        while True:
            try:
                return fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SourceFailed(str(self._log.parent), "another run is using this directory") from None
            time.sleep(POLL_SECONDS)

    def _await(self, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_ready():
            if not self.running:
                raise SourceFailed(self._command[0], f"it ended while starting\n{self._log_excerpt()}")
            if time.monotonic() > deadline:
                raise SourceFailed(self._command[0], f"no answer in {START_SECONDS:g} s\n{self._log_excerpt()}")
            time.sleep(POLL_SECONDS)

    def _order(self, letter: bytes) -> None:
        owned, self._watchdog = self._watchdog, None
        if owned is None or owned.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError), owned.stdin:
            owned.stdin.write(letter)
        owned.wait()

    def _log_excerpt(self) -> str:
        # The first complaint is the cause; what a server says last is often only how it gave up.
        lines = self._log.read_text(errors="replace").splitlines()
        complaints = [line for line in lines if COMPLAINT.search(line)][:LOG_LINES]
        return "\n".join(f"    {line}" for line in complaints or lines[-LOG_LINES:])


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on."""
    while True:
        port = random.choice(PORTS)  # noqa: S311  # chance keeps two runs apart, it keeps no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
