from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.desk_with_pages import PageDesk, page_desk
from tests.system import System, running_system


@pytest.fixture(scope="module")
def running(
    virtual_hosts: Callable[[], AbstractContextManager[str]],
    databases: Callable[[], AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[System]:
    """A worker and a projections process, shared by tests that leave them as they were."""
    directory = tmp_path_factory.mktemp("running")
    with (
        virtual_hosts() as amqp_url,
        databases() as database_url,
        running_system(amqp_url, database_url, directory) as system,
    ):
        for part in (system.worker(), system.projections()):
            part.wait_ready()
        yield system


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; not for longer than a module, for beside it no test of its thread can run an event loop."""
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def desk(
    virtual_hosts: Callable[[], AbstractContextManager[str]],
    databases: Callable[[], AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PageDesk]:
    """A whole system with pages, shared by tests whose tasks have names of their own."""
    with page_desk(virtual_hosts, databases, tmp_path_factory.mktemp("pages")) as desk:
        yield desk
