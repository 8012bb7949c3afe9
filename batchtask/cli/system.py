"""The whole system as processes of ours: servers from wherever `batchtask.local` finds them, and all parts."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from batchtask.errors import BatchTaskError
from batchtask.local import provide
from batchtask.local.files import secret
from batchtask.settings import Settings

OnLine = Callable[[str, str], None]

#: Longer than any import on a busy machine; measured 0.4 s on an idle one.
READY_SECONDS = 60
STOP_SECONDS = 40
PR_SET_PDEATHSIG = 1


class PartEnded(BatchTaskError):
    """A part of the system ended by itself."""

    def __init__(self, part: str, exit_code: int, last_lines: str) -> None:
        super().__init__(part, exit_code, last_lines)
        self.part = part
        self.exit_code = exit_code
        self.last_lines = last_lines

    def __str__(self) -> str:
        return f"{self.part} ended with exit code {self.exit_code}: {self.last_lines or 'it said nothing'}"


class Part:
    """One process of the system; its lines go to `on_line`."""

    def __init__(self, name: str, module: str, environ: Mapping[str, str], on_line: OnLine) -> None:
        self.name = name
        self._on_line = on_line
        self._ready = threading.Event()
        self.url = ""  #: where a part that serves does so, once it is ready
        self._lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C reaches us alone; we stop the parts in order
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - we start parts before any thread of ours runs code
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_ready(self) -> None:
        """Return once the part serves.

        Raises:
            PartEnded: It could not start; the text is its own.
        """
        self._ready.wait(READY_SECONDS)
        self.require_alive()

    def require_alive(self) -> None:
        code = self.process.poll()
        if code is not None:
            self._reader.join(timeout=1)
            raise PartEnded(self.name, code, "; ".join(self._lines[-3:]))

    def stop(self) -> None:
        """Ask it to finish, and kill it when it does not."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines = [*self._lines[-9:], line.rstrip()]
            self._on_line(self.name, line.rstrip())
            if f"{self.name.split()[0]} ready" in line:
                self.url = line.partition("url=")[2].strip()
                self._ready.set()
        self._ready.set()


@dataclass(frozen=True)
class System:
    """A running system."""

    parts: tuple[Part, ...]
    exports: dict[str, str]  #: variables that let another process use it
    settings: Settings

    def require_alive(self) -> None:
        """Hold that every part runs.

        Raises:
            PartEnded: One does not.
        """
        for part in self.parts:
            part.require_alive()


@contextmanager
def running_system(
    folder: Path,
    environ: Mapping[str, str],
    *,
    workers: int,
    announce: Callable[[str], None],
    on_line: OnLine,
    web: bool = False,
) -> Iterator[System]:
    """Run everything for as long as the context lasts; whatever was started here ends with it.

    Args:
        folder: For the data of servers that this starts, and for files.
        environ: The caller's environment.
        workers: How many worker processes.
        announce: Told where each server comes from.
        on_line: Given every line of every part, with the part's name.
        web: Run a web process too, on `BATCHTASK_WEB_PORT`, else on 8080 if nobody else does, else on any.

    Raises:
        ServicesUnavailable, BatchTaskError: Something cannot run; the text says what to do.
    """
    from batchtask.migrations import upgrade

    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        services = stack.enter_context(provide(folder, environ, announce=announce, management=web))
        upgrade(services.database_url)
        exports = {
            "BATCHTASK_AMQP_URL": services.amqp_url,
            "BATCHTASK_DATABASE_URL": services.database_url,
            "BATCHTASK_FILES_DIR": environ.get("BATCHTASK_FILES_DIR", str(folder / "files")),
            "BATCHTASK_ARCHIVE_DIR": environ.get("BATCHTASK_ARCHIVE_DIR", str(folder / "archive")),
            "BATCHTASK_PAYLOAD_URL": environ.get("BATCHTASK_PAYLOAD_URL", str(folder / "payloads")),
            "BATCHTASK_SECRET_KEYS": environ.get("BATCHTASK_SECRET_KEYS") or secret(folder / "secret-key", _new_key),
        }
        if web and services.management_url:
            exports.setdefault("BATCHTASK_MANAGEMENT_URL", services.management_url)
        everything = {**environ, **exports}
        names = [("projections", "projections"), *((f"worker {n}", "worker") for n in range(1, workers + 1))]
        if web:
            names.append(("web", "batchtask.web"))
            everything.setdefault("BATCHTASK_WEB_PORT", str(_free_port()))
        parts = []
        for name, module in names:
            part = Part(name, module, everything, on_line)
            stack.callback(part.stop)
            parts.append(part)
        for part in parts:
            part.wait_ready()
        yield System(tuple(parts), exports, Settings.read(everything))


def _new_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _free_port() -> int:
    """The usual port of the web application, or 0 (any) where somebody else has it."""
    try:
        with socket.create_server((Settings.web_host, Settings.web_port)):
            return Settings.web_port
    except OSError:
        return 0


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
