"""A system that works, and the pages before it, for tests in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from batchtask.identifiers import TaskId, new_task_id
from producer.task_request import TaskRequest
from tests.access_support import add_people, id_of
from tests.page_tasks import Told, record_story
from tests.system import System, running_system

Borrow = Callable[[], AbstractContextManager[str]]


@dataclass(frozen=True)
class PageDesk:
    """A system, its pages, and an ordinary user of theirs."""

    system: System
    url: str
    bob: int

    def submit(self, name: str, description: str) -> TaskId:
        """Have Bob submit a task; a `gate` writes into a file of its own."""
        task_id = new_task_id()
        parameters = {"path": str(self.system.trace(task_id))} if name == "gate" else {}
        asked = TaskRequest(
            name=name, parameters=parameters, task_id=task_id, owner=self.bob, description=description
        )
        return self.system.producer.submit_many([asked])[0]

    def record(self, *story: Told) -> dict[str, TaskId]:
        """Record tasks of Bob's that no worker knows of."""
        return record_story(self.system.engine, self.bob, story)


@contextmanager
def page_desk(virtual_hosts: Borrow, databases: Borrow, directory: Path) -> Iterator[PageDesk]:
    """Run a worker, projections and a web process for as long as the context lasts."""
    with virtual_hosts() as amqp, databases() as database, running_system(amqp, database, directory) as system:
        add_people(database)
        web = system.web()
        for part in (system.worker(), system.projections(), web):
            part.wait_ready()
        yield PageDesk(system, web.url, id_of(system.engine, "bob"))
