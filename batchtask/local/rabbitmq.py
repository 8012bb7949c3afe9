"""A private RabbitMQ node, run by the calling user from whatever installation there is.

It shares nothing with a broker that the system may run: own data, own configuration, own Erlang port mapper
(epmd), all on 127.0.0.1 and on random ports. See https://www.rabbitmq.com/docs/relocate for the variables.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from batchtask.local.errors import SourceFailed
from batchtask.local.files import private_directory, secret, write_private
from batchtask.local.processes import ServerProcess, free_port

OLDEST_VERSION = (3, 10)
NODE = "batchtask@localhost"
USER = VIRTUAL_HOST = "batchtask"
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
FRAME_METHOD = b"\x01"  #: first byte of the broker's answer, once it really serves AMQP 0-9-1

#: Two schedulers and no spinning: an idle private broker must not take a developer's processor.
VIRTUAL_MACHINE = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -noinput"


@dataclass(frozen=True)
class BrokerInstallation:
    """Where the programs of one RabbitMQ and its Erlang are."""

    sbin: Path
    erlang_bin: Path
    version: str
    library_path: str = ""  #: of libraries that the machine lacks, for an unpacked tree
    wrapper: tuple[str, ...] = ()  #: what to put before a command, when the paths are those of another root


def installed_broker(environ: Mapping[str, str]) -> BrokerInstallation | None:
    """Return the newest RabbitMQ on this machine that is new enough, or None."""
    found = [one for sbin in _sbin_directories(environ) if (one := _installation(sbin, environ))]
    usable = [one for one in found if version_key(one.version) >= OLDEST_VERSION]
    return max(usable, key=lambda one: version_key(one.version), default=None)


def broker_in_tree(root: Path, library_path: str = "") -> BrokerInstallation | None:
    """Return the RabbitMQ under the root of an unpacked distribution, or None."""
    for sbin in root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"):
        return BrokerInstallation(sbin, root / "usr/lib/erlang/bin", _version(sbin), library_path)
    return None


def version_key(version: str) -> tuple[int, ...]:
    """Return a version's leading numbers, for comparing."""
    parts = version.split("-", maxsplit=1)[0].split(".")
    return tuple(int(part) for part in parts if part.isdigit())


def _sbin_directories(environ: Mapping[str, str]) -> Iterator[Path]:
    yield from Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin")
    for prefix in ("/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"):
        yield Path(prefix, "opt/rabbitmq/sbin").resolve()
    if command := shutil.which("rabbitmq-server", path=environ.get("PATH")):
        yield Path(command).resolve().parent


def _installation(sbin: Path, environ: Mapping[str, str]) -> BrokerInstallation | None:
    # rabbitmq-defaults tells the real scripts from a distribution's wrapper, which insists on root.
    if not (sbin / "rabbitmq-defaults").is_file():
        return None
    if not (erl := shutil.which("erl", path=environ.get("PATH"))) and not (erl := _homebrew_erl()):
        return None
    return BrokerInstallation(sbin, Path(erl).parent, _version(sbin))


def _homebrew_erl() -> str | None:
    return shutil.which("erl", path="/opt/homebrew/opt/erlang/bin:/usr/local/opt/erlang/bin")


def _version(sbin: Path) -> str:
    return next(sbin.parent.glob("plugins/rabbit-[0-9]*")).name.removeprefix("rabbit-").removesuffix(".ez")


@dataclass(kw_only=True)
class RabbitMQ:
    """One private node. Ports and password stay the same over `kill`, `restart` and a later run.

    Use it as a context manager, or call `start` and `stop`.
    """

    installation: BrokerInstallation
    directory: Path
    durable: bool = True  #: False: the quorum queues' log is not synced; for tests
    management: bool = False  #: serve the HTTP API, needed to add virtual hosts
    configuration: str = ""  #: more lines of rabbitmq.conf
    advanced: Sequence[str] = ()  #: more Erlang terms of advanced.config
    node: str = NODE
    port: int = field(default_factory=free_port)
    management_port: int = field(default_factory=free_port)
    epmd_port: int = field(default_factory=free_port)  #: the same one for all nodes of a cluster
    _epmd: ServerProcess = field(init=False, repr=False)
    _node: ServerProcess = field(init=False, repr=False)

    def __post_init__(self) -> None:
        private_directory(self.directory)
        wrapper, environ = self.installation.wrapper, self._environ()
        epmd = self.installation.erlang_bin / "epmd"
        self._epmd = ServerProcess(
            [*wrapper, epmd, "-port", str(self.epmd_port), "-address", "127.0.0.1"],
            environ=environ,
            log=self.directory / "epmd.log",
        )
        self._node = ServerProcess(
            [*wrapper, self.installation.sbin / "rabbitmq-server"],
            environ=environ,
            log=self.directory / "console.log",
        )

    @property
    def amqp_url(self) -> str:
        return f"amqp://{USER}:{self._password}@127.0.0.1:{self.port}/{VIRTUAL_HOST}"

    @property
    def management_url(self) -> str | None:
        if not self.management:
            return None
        return f"http://{USER}:{self._password}@127.0.0.1:{self.management_port}"

    def start(self) -> None:
        """Start the node on the data of an earlier run, if there is any, and wait until it serves AMQP."""
        self._write_configuration()
        with contextlib.ExitStack() as undo:
            undo.callback(self._epmd.stop)
            if not accepts(self.epmd_port):  # a neighbour of the same cluster may have started it
                self._epmd.start(lambda: accepts(self.epmd_port))
            self._node.start(self._is_ready)
            undo.pop_all()

    def stop(self) -> None:
        # An orderly stop takes seconds, and is of use only to data that somebody will want again.
        if self.durable:
            self._node.stop()
        self._node.kill()
        self._epmd.kill()

    def kill(self) -> None:
        """End the node with SIGKILL; `start` brings it back on the same port with the data it had synced."""
        self._node.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on the node, which takes a second or two, and return what it says.

        Raises:
            SourceFailed: It failed; the text says why.
        """
        program = str(self.installation.sbin / "rabbitmqctl")
        command = [*self.installation.wrapper, program, "-q", "-n", self.node, *arguments]
        result = subprocess.run(command, env=self._environ(), cwd="/", capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SourceFailed("rabbitmqctl", result.stderr.strip() or result.stdout.strip())
        return result.stdout

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _password(self) -> str:
        return secret(self.directory / "password")

    def _is_ready(self) -> bool:
        return serves_amqp(self.port) and (not self.management or accepts(self.management_port))

    def _environ(self) -> dict[str, str]:
        at = self.directory
        libraries = self.installation.library_path
        return {
            "PATH": f"{self.installation.erlang_bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "HOME": str(at),
            **({"LD_LIBRARY_PATH": libraries} if libraries else {}),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_CRASH_DUMP": str(at / "erl_crash.dump"),
            # With this set the script becomes the Erlang machine, so a signal reaches it and not a shell.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"{VIRTUAL_MACHINE} -kernel inet_dist_use_interface {{127,0,0,1}}"
            ),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_BASE": str(at),
            "RABBITMQ_MNESIA_BASE": str(at / "data"),
            "RABBITMQ_LOG_BASE": str(at / "log"),
            "RABBITMQ_CONF_ENV_FILE": str(at / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(at / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(at / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(at / "enabled_plugins"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(at / "feature_flags"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(at / "generated"),
            "RABBITMQ_SCHEMA_DIR": str(at / "schema"),
            "RABBITMQ_PID_FILE": str(at / "node.pid"),
        }

    def _write_configuration(self) -> None:
        at = self.directory
        for name in ("data", "log", "generated", "schema"):
            (at / name).mkdir(exist_ok=True)
        secret(at / ".erlang.cookie")
        terms = [*self.advanced, *([] if self.durable else ["{ra, [{wal_sync_method, none}]}"])]
        (at / "none.conf").touch()
        (at / "advanced.config").write_text(f"[{', '.join(terms)}].\n")
        (at / "enabled_plugins").write_text("[rabbitmq_management].\n" if self.management else "[].\n")
        write_private(at / "rabbitmq.conf", "\n".join([*self._lines(), self.configuration, ""]))

    def _lines(self) -> Iterator[str]:
        yield f"listeners.tcp.1 = 127.0.0.1:{self.port}"
        yield f"default_user = {USER}"
        yield f"default_pass = {self._password}"
        yield f"default_vhost = {VIRTUAL_HOST}"
        yield "disk_free_limit.absolute = 50MB"
        yield "log.file = node.log"
        yield "log.console = false"
        if self.management:
            yield "management.tcp.ip = 127.0.0.1"
            yield f"management.tcp.port = {self.management_port}"


def serves_amqp(port: int) -> bool:
    """Tell whether a broker answers the AMQP 0-9-1 protocol header; far cheaper than a call of rabbitmqctl."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(PROTOCOL_HEADER)
        return connection.recv(1) == FRAME_METHOD
    return False


def accepts(port: int) -> bool:
    """Tell whether anything listens on a port of 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False
