"""The measurements, each a method of `Bench`."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType

import psutil
from sqlalchemy import func, select

from batchtask.broker import Publisher
from batchtask.database import make_engine
from batchtask.events import TaskSucceeded
from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from batchtask.store import EventStore
from batchtask.tables import batchtask
from producer import TaskRequest
from producer.blocking import Producer
from projections.queries import Queries
from projections.rows import State

Measured = dict[str, float]

ROUNDS = 3  #: of the rates; the median counts
MANY = 5_000
ONE_BY_ONE = 500
LATENCY_TASKS = 300
SAMPLED = 40
PATIENCE_SECONDS = 120
POLL_SECONDS = 0.05  #: looking more often would measure the looking


class Bench:
    """Runs workers and a projections process against given servers, and measures."""

    max_tasks = 64  #: the default is 16; tasks of a millisecond bear more

    def __init__(self, environ: Mapping[str, str], *, workers: int) -> None:
        self._environ = {**environ, "BATCHTASK_LOG_LEVEL": "warning", "BATCHTASK_MAX_TASKS": str(self.max_tasks)}
        self.settings = Settings.read(self._environ)
        self._engine = make_engine(self.settings.database_url)
        self._queries = Queries(self._engine)
        self._store = EventStore(self._engine)
        self._producer = Producer(self.settings)
        self._worker_count = workers
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            process.wait(30)
        self._producer.close()
        self._engine.dispose()

    def measure(self, tell: Callable[[str], None]) -> Measured:
        """Measure everything, in an order in which nothing disturbs what follows."""
        tell("submitting …")
        one = self._submit_one()
        many = statistics.median(self._submit_many() for _ in range(ROUNDS))
        self._purge()
        tell("starting a worker …")
        first = self._start_to_first_task()
        memory = self._idle_memory()
        for _ in range(1, self._worker_count):
            self._start("worker")
        tell("latency at low load …")
        latencies, freshness = self._latencies()
        tell("end to end …")
        rates, loaded = zip(*(self._end_to_end() for _ in range(ROUNDS)), strict=True)
        return {
            "submit_one_per_s": round(one),
            "submit_many_per_s": round(many),
            "end_to_end_per_s": round(statistics.median(rates)),
            "start_latency_ms_p50": round(_percentile(latencies, 50), 1),
            "start_latency_ms_p99": round(_percentile(latencies, 99), 1),
            "row_freshness_ms_p99": round(_percentile(freshness, 99), 1),
            "row_freshness_loaded_ms_p99": round(_percentile([value for run in loaded for value in run], 99), 1),
            "idle_pss_mb": round(memory, 1),
            "start_to_first_task_s": round(first, 2),
        }

    def broker_version(self) -> str:
        import asyncio

        async def ask() -> str:
            publisher = Publisher(self.settings.amqp_url, role="bench")
            await publisher.start()
            server = publisher.connection.server
            await publisher.close()
            return server

        return asyncio.run(ask())

    def _submit_one(self) -> float:
        began = time.perf_counter()
        for _ in range(ONE_BY_ONE):
            self._producer.submit("noop")
        return ONE_BY_ONE / (time.perf_counter() - began)

    def _submit_many(self) -> float:
        requests = [TaskRequest(name="noop") for _ in range(2 * MANY)]
        began = time.perf_counter()
        self._producer.submit_many(requests)
        return len(requests) / (time.perf_counter() - began)

    def _purge(self) -> None:
        """Forget what the submit measurements left in the queues."""
        import pika

        with pika.BlockingConnection(pika.URLParameters(self.settings.amqp_url)) as connection:
            channel = connection.channel()
            for queue in ("batchtask.tasks", "batchtask.projections"):
                channel.queue_purge(queue)

    def _start_to_first_task(self) -> float:
        self._start("projections")
        self._await_row(self._producer.submit("stamp"), State.New)
        task_id = self._producer.submit("stamp")
        began = time.time()
        self._start("worker")
        self._await_row(task_id, State.Succeeded)
        return self._stamp(task_id) - began

    def _idle_memory(self) -> float:
        """PSS of the worker and everything it started, once nothing runs; PSS shares shared pages out."""
        parent = psutil.Process(self._processes[-1].pid)
        family = [parent, *parent.children(recursive=True)]
        return sum(process.memory_full_info().pss for process in family) / 1e6

    def _latencies(self) -> tuple[list[float], list[float]]:
        """Milliseconds from the call of submit to the task body, and from the outcome to the row that shows it."""
        latencies, freshness = [], []
        for _ in range(LATENCY_TASKS):
            began = time.time()
            task_id = self._producer.submit("stamp")
            seen = self._await_row(task_id, State.Succeeded)
            latencies.append(1000 * (self._stamp(task_id) - began))
            freshness.append(1000 * (seen - self._ended_at(task_id)))
        return latencies, freshness

    def _end_to_end(self) -> tuple[float, list[float]]:
        """Tasks a second from the first submit to the last row, and the freshness of some rows on the way."""
        finished = self._finished()
        requests = [TaskRequest(name="noop") for _ in range(MANY)]
        sampled = [request.task_id for request in requests[:: MANY // SAMPLED]]
        began = time.perf_counter()
        self._producer.submit_many(requests)
        seen: dict[TaskId, float] = {}
        while self._finished() < finished + MANY:
            self._note(sampled, seen)
            time.sleep(POLL_SECONDS)
            if time.perf_counter() - began > PATIENCE_SECONDS:
                raise TimeoutError(f"{self._finished() - finished} of {MANY} tasks finished")
        rate = MANY / (time.perf_counter() - began)
        self._note(sampled, seen)
        return rate, [1000 * (at - self._ended_at(task_id)) for task_id, at in seen.items()]

    def _note(self, sampled: list[TaskId], seen: dict[TaskId, float]) -> None:
        waiting = [task_id for task_id in sampled if task_id not in seen]
        now_finished = [row for row in self._queries.by_ids(waiting) if row.finished]
        seen.update({TaskId(row.task_id): time.time() for row in now_finished})

    def _finished(self) -> int:
        query = select(func.count()).where(batchtask.c.state == State.Succeeded)
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def _await_row(self, task_id: TaskId, state: State) -> float:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            rows = self._queries.by_ids([task_id])
            if rows and rows[0].state is state:
                return time.time()
            time.sleep(0.001)
        raise TimeoutError(f"task {task_id} did not become {state.name}")

    def _ended_at(self, task_id: TaskId) -> float:
        return self._store.load(task_id)[-1].occurred_at.timestamp()

    def _stamp(self, task_id: TaskId) -> float:
        """When the task body ran, as it said itself."""
        body = self._store.load(task_id)[-1].body
        assert isinstance(body, TaskSucceeded)
        return float(body.response)

    def _start(self, module: str) -> None:
        self._processes.append(subprocess.Popen([sys.executable, "-P", "-m", module], env=self._environ))


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]
