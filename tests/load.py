"""A steady load of tasks in both modes, told as counts: submitted = finished, nothing twice to effect."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from batchtask.errors import PublishError
from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from producer.blocking import Producer
from producer.task_request import TaskRequest
from tests.outcome import assert_all_succeeded
from tests.polling import eventually
from tests.system import System
from tests.tally import STEPS, make_tally, tallied

PAUSE_SECONDS = 0.02
QUICK = {"heartbeat_seconds": 1, "lease_seconds": 5, "reconcile_seconds": 1, "max_tasks": 8}


class Load:
    """Submits tasks of both modes, one after the other, until it is told to stop. An unconfirmed one is repeated."""

    def __init__(self, amqp_url: str) -> None:
        self.ids: list[TaskId] = []
        self.refusal = ""
        self._amqp_url = amqp_url
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with Producer(Settings(amqp_url=self._amqp_url, submit_seconds=1)) as producer:
            while not self._stopping.wait(PAUSE_SECONDS):
                name = ("tally", "tally-leased")[len(self.ids) % 2]
                request = TaskRequest(name=name, parameters={"steps": STEPS, "seconds": 0.02})
                while not self._accepted(producer, request) and not self._stopping.is_set():
                    pass
                self.ids.append(request.task_id)

    def _accepted(self, producer: Producer, request: TaskRequest) -> bool:
        try:
            producer.submit_many([request])
        except PublishError as error:
            self.refusal = str(error)  # the last one, for whoever wonders why nothing goes on
            return False
        return True


@contextmanager
def load(system: System) -> Iterator[Load]:
    """Two of everything, and tasks coming in; at the end all of them must have ended well."""
    make_tally(system)
    for _ in range(2):
        system.worker(**QUICK)
        system.projections(**QUICK)
    for part in system.parts:
        part.wait_ready()
    running = Load(system.amqp_url)
    running.start()
    try:
        eventually(lambda: len(tallied(system)) >= 50, seconds=30)
        yield running
        reached = len(running.ids) + 50
        eventually(lambda: len(running.ids) >= reached, seconds=60)
    finally:
        running.stop()
    system.wait_all_finished(running.ids, seconds=90)
    assert_all_succeeded(system, running.ids)
    wanted = set(running.ids)  # a test before this one may have failed, and left tasks of its own
    effects = Counter(effect for effect in tallied(system) if effect[0] in wanted)
    assert effects == {(task_id, step): 1 for task_id in wanted for step in range(STEPS)}
