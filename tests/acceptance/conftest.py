from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

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
