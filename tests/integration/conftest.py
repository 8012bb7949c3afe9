from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from batchtask.database import make_engine
from batchtask.local import RabbitMQ, SourceFailed, broker_installation
from batchtask.local.dovecot import Dovecot, MailInstallation, mail_installation
from batchtask.store import EventStore
from tests.children import SETTINGS, closed
from tests.conftest import ENVIRON
from tests.email_merge_support import Desk
from tests.inbox_support import KARI, PASSWORD
from tests.mail_server import MailServer, running_mail_server
from worker.children.pool import ChildPool


@pytest.fixture(scope="module")
def engine(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[Engine]:
    """A database that the tests of a module share: each works on tasks of its own."""
    with databases() as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def store(engine: Engine) -> EventStore:
    return EventStore(engine)


@pytest.fixture(scope="module")
def shared(loop: asyncio.Runner) -> Iterator[ChildPool]:
    """A pool of children that the tests of a module share."""
    pool = ChildPool(SETTINGS, warm=1, largest=3)
    loop.run(pool.start())
    yield pool
    loop.run(closed(pool))


@pytest.fixture
def own_broker() -> Iterator[RabbitMQ]:
    """A broker of the test's own, to kill and to block."""
    with tempfile.TemporaryDirectory(prefix="batchtask-", ignore_cleanup_errors=True) as directory:
        installation = broker_installation(Path(directory), ENVIRON, print)
        broker = RabbitMQ(installation=installation, directory=Path(directory))
        broker.start()
        yield broker
        broker.stop()


@pytest.fixture(scope="session")
def mail_programs(tmp_path_factory: pytest.TempPathFactory) -> MailInstallation:
    try:
        return mail_installation(tmp_path_factory.mktemp("dovecot"), ENVIRON, lambda _: None)
    except SourceFailed as failure:
        pytest.skip(f"NO MAIL SERVER, so fetching mail is NOT TESTED: {failure}")


@pytest.fixture
def mail_server(
    mail_programs: MailInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Dovecot]:
    """A mail server with an empty mailbox, whose authority is trusted."""
    server = Dovecot(installation=mail_programs, directory=tmp_path / "mail", passwords={KARI: PASSWORD})
    monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
    with server:
        yield server


@pytest.fixture
def mails() -> Iterator[MailServer]:
    """A mail server to send to."""
    with running_mail_server() as found:
        yield found


@pytest.fixture
def desk(database_url: str, tmp_path: Path, mails: MailServer) -> Desk:
    """A user who sends mails."""
    return Desk(database_url, tmp_path, mails.port)
