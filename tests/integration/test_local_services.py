"""Private services, on real processes: they start, survive what they should, and leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pika
import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from batchtask.local import (
    PostgreSQL,
    RabbitMQ,
    Services,
    ServicesUnavailable,
    SourceFailed,
    add_virtual_host,
    broker_installation,
    database_installations,
    delete_virtual_host,
    provide,
)
from batchtask.local.advice import system_family
from batchtask.local.debian import is_debian
from batchtask.local.postgres import DatabaseInstallation
from tests.polling import eventually

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
NOBODY = pwd.getpwnam("nobody")

#: A caller of `provide`: says when services are there, then waits for its end.
CALLER = """
    import os, sys
    from pathlib import Path
    from batchtask.local import provide
    with provide(Path(sys.argv[1]), os.environ, announce=lambda line: None, need_broker=sys.argv[2] == "True"):
        print("ready", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that PostgreSQL's account can enter too, unlike root's `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="batchtask-", ignore_cleanup_errors=True) as path:
        Path(path).chmod(0o711)
        yield Path(path)


def test_rabbitmq_keeps_confirmed_messages_over_restart_and_kill(services: Services, directory: Path) -> None:
    installation = broker_installation(directory, ENVIRON, print)
    with RabbitMQ(installation=installation, directory=directory / "broker") as broker:
        publish(broker.amqp_url, b"first")
        # In this order: 3.10 forgets a quorum queue when it is killed within half a second of its declaration.
        broker.restart()
        publish(broker.amqp_url, b"second")
        broker.kill()
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            publish(broker.amqp_url, b"to nobody")
        broker.start()

        assert taken(broker.amqp_url) == [b"first", b"second"]
        assert taken(services.amqp_url) == []  # another broker, beside it
    assert left_running(directory) == []


@pytest.mark.parametrize("installation", database_installations(ENVIRON), ids=lambda one: one.version)
def test_postgresql_keeps_commits_over_kill_and_restart(directory: Path, installation: DatabaseInstallation) -> None:
    with PostgreSQL(installation=installation, directory=directory / "database") as database:
        execute(database.database_url, "CREATE TABLE kept (n int)")
        database.kill()
        with pytest.raises(psycopg.OperationalError):
            execute(database.database_url, "SELECT 1")

        database.start()
        execute(database.database_url, "INSERT INTO kept VALUES (1)")
        database.restart()

        assert execute(database.database_url, "SELECT n FROM kept") == [(1,)]
    assert left_running(directory) == []


def test_data_is_found_again_in_the_same_directory(services: Services, directory: Path) -> None:
    with provide(directory, ENVIRON, announce=print, need_broker=False) as first:
        execute(first.database_url, "CREATE TABLE kept (n int)")
        assert first.database_url != services.database_url
    with provide(directory, ENVIRON, announce=print, need_broker=False) as second:
        assert execute(second.database_url, "SELECT n FROM kept") == []


@pytest.mark.parametrize(
    ("number", "need_broker"), [(signal.SIGKILL, True), (signal.SIGINT, False), (signal.SIGTERM, False)]
)
def test_nothing_is_left_running_when_the_caller_is_ended(
    directory: Path, number: signal.Signals, need_broker: bool
) -> None:
    caller = start_caller([sys.executable], directory, need_broker=need_broker)
    assert left_running(directory) != []

    caller.send_signal(number)
    caller.communicate()

    eventually(lambda: left_running(directory) == [])


def test_servers_named_by_urls_are_used_and_nothing_is_started(services: Services, directory: Path) -> None:
    urls = {"BATCHTASK_AMQP_URL": services.amqp_url, "BATCHTASK_DATABASE_URL": services.database_url}
    before = psutil.Process().children(recursive=True)
    with provide(directory, ENVIRON | urls, announce=print) as named:
        assert (named.amqp_url, named.database_url) == (services.amqp_url, services.database_url)
        assert psutil.Process().children(recursive=True) == before
    assert list(directory.iterdir()) == []


def test_where_nothing_is_found_the_message_says_what_to_install(directory: Path) -> None:
    bare = {"PATH": str(directory / "no-programs")}
    with pytest.raises(ServicesUnavailable) as caught, provide(directory, bare, announce=print, need_database=False):
        pass
    assert "BATCHTASK_AMQP_URL" in str(caught.value)
    if system_family() == "debian":
        assert "sudo apt-get install rabbitmq-server" in str(caught.value)


def test_a_server_that_does_not_start_shows_the_end_of_its_log(directory: Path) -> None:
    installation = broker_installation(directory, ENVIRON, print)
    broker = RabbitMQ(installation=installation, directory=directory, configuration="no_such_key = 1")
    with pytest.raises(SourceFailed, match="no_such_key"):
        broker.start()
    assert left_running(directory) == []


def test_a_new_virtual_host_is_empty_and_ends_with_its_deletion(services: Services, management_url: str) -> None:
    url = add_virtual_host(management_url, services.amqp_url, "of/one test")
    publish(url, b"inside")
    assert taken(services.amqp_url) == []
    delete_virtual_host(management_url, "of/one test")
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError):
        publish(url, b"too late")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(not is_debian(ENVIRON), reason="only Debian's packages can be unpacked")
def test_an_ordinary_user_without_package_lists_gets_services(directory: Path) -> None:
    """As on a new machine: an empty home directory, and nobody ever ran `apt-get update`."""
    os.chown(directory, NOBODY.pw_uid, NOBODY.pw_gid)
    become = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups"]
    command = [*without_package_lists(), *become, interpreter_for_all()]

    caller = start_caller(command, directory)
    owners = {psutil.Process(pid).uids().real for pid in left_running(directory) if pid != caller.pid}
    caller.communicate("")

    assert owners == {NOBODY.pw_uid}
    assert caller.returncode == 0
    assert left_running(directory) == []


def start_caller(command: list[str], directory: Path, *, need_broker: bool = True) -> subprocess.Popen[str]:
    home = directory / "home"
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    if os.geteuid() == directory.stat().st_uid:
        environ["HOME"] = ENVIRON["HOME"]
    caller = subprocess.Popen(
        [*command, "-B", "-c", textwrap.dedent(CALLER), directory / "services", str(need_broker)],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert caller.stdout
    assert caller.stdout.readline() == "ready\n"
    return caller


def without_package_lists() -> list[str]:
    """Return what to put before a command so that it sees no package lists; nothing where root may not hide them."""
    hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /var/lib/apt/lists && exec "$@"', "sh"]
    allowed = subprocess.run([*hide, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return hide if allowed else []


def interpreter_for_all() -> str:
    """Return a Python of our version that another user may run; a version switcher's lies in a closed home."""
    same = f"python{sys.version_info.major}.{sys.version_info.minor}"
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    for candidate in (sys.executable, f"/usr/bin/{same}", f"/usr/local/bin/{same}"):
        try:
            command = [candidate, "-B", "-c", "import batchtask, psycopg"]
            subprocess.run(command, user=NOBODY.pw_uid, cwd="/", env=path, stderr=subprocess.DEVNULL, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip(f"no {same} that an ordinary user may run with this checkout")


def left_running(directory: Path) -> list[int]:
    """Return the processes whose command line or environment, as far as we may see it, names the directory."""
    return [process.pid for process in psutil.process_iter() if str(directory) in words_of(process)]


def words_of(process: psutil.Process) -> str:
    words = []
    with contextlib.suppress(psutil.Error):
        words += process.cmdline()
        words += process.environ().values()  # another user's is hidden from root in a container
    return "\n".join(words)


def publish(url: str, body: bytes) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", "kept", body)


def taken(url: str) -> list[bytes]:
    """Return the bodies of all messages in the queue, and leave it empty."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        bodies = iter(lambda: channel.basic_get("kept", auto_ack=True)[2], None)
        return list(bodies)


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []
