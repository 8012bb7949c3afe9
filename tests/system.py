"""The whole system as processes of its own, to submit to, to kill, and to look at afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
from sqlalchemy import ColumnElement, Engine, select

from batchtask.database import make_engine
from batchtask.events import AttemptStarted, CancelRequested, Event
from batchtask.identifiers import TaskId, new_task_id
from batchtask.settings import Settings
from batchtask.store import EventStore
from batchtask.tables import batchtask, batchtaskdefinition, dead_letter, log_line
from producer.blocking import Producer
from producer.task_request import TaskRequest
from projections.rows import State
from tests.polling import eventually

ROOT = Path(__file__).resolve().parents[1]


class Part:
    """A worker or a projections process."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        self.name = log.stem
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", *arguments],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def url(self) -> str:
        """Where a web process listens."""
        found = re.search(r"http://[\w.:\[\]]+", self.output)
        assert found, self.output
        return found[0]

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.output
            return " ready" in self.output

        eventually(ready, seconds=30)

    def terminate(self) -> None:
        self.send_signals(signal.SIGTERM)

    def send_signals(self, *numbers: signal.Signals) -> None:
        for number in numbers:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def kill_children(self) -> None:
        """Kill what runs task code; the worker lives."""
        for process in psutil.Process(self.pid).children(recursive=True):
            try:
                if os.getpgid(process.pid) == process.pid:  # a child leads a group of its own
                    process.send_signal(signal.SIGKILL)
            except (ProcessLookupError, psutil.NoSuchProcess):
                pass

    def exit_code(self, *, seconds: float = 30) -> int:
        return self.process.wait(timeout=seconds)


class System:
    """One virtual host, one database, and whatever was started on them."""

    def __init__(self, amqp_url: str, database_url: str, directory: Path) -> None:
        self.directory = directory
        self.amqp_url = amqp_url
        self._urls = {"BATCHTASK_AMQP_URL": amqp_url, "BATCHTASK_DATABASE_URL": database_url}
        self.parts: list[Part] = []
        self.engine: Engine = make_engine(database_url)
        self.store = EventStore(self.engine)
        self.producer = Producer(Settings(amqp_url=amqp_url, submit_seconds=20))

    def worker(self, **settings: object) -> Part:
        """Start a worker; settings by their names in `Settings`."""
        return self.start("worker", settings)

    def projections(self, **settings: object) -> Part:
        return self.start("projections", settings)

    def web(self, **settings: object) -> Part:
        """Start a web process on a port of its own; where, `Part.url` tells once it is ready."""
        return self.start("batchtask.web", {"web_port": 0} | settings)

    def crashing(self, module: str, point: str, **settings: object) -> Part:
        """Start a part that is killed at a signal point, the first time it gets there."""
        return self.start(module, settings, crash_at=point)

    def freezing(self, module: str, point: str, **settings: object) -> Part:
        """Start a part that stands still for good at a signal point, as with a host that vanished."""
        return self.start(module, settings, crash_at=point, environ={"CRASH_BY": "SIGSTOP"})

    def crashed(self, point: str) -> bool:
        return self._mark(point).exists()

    def _mark(self, point: str) -> Path:
        return self.directory / f"crashed-at-{point}"

    def start(
        self,
        module: str,
        settings: Mapping[str, object],
        *,
        crash_at: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> Part:
        environ = dict(environ or {}) | {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ
        }
        environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "plugins")])
        environ |= self._urls | {"BATCHTASK_FILES_DIR": str(self.directory / "files")}
        environ |= {f"BATCHTASK_{name.upper()}": str(value) for name, value in settings.items()}
        arguments = [module]
        if crash_at:
            environ |= {"CRASH_AT": crash_at, "CRASH_MARK": str(self._mark(crash_at))}
            arguments = ["tests.crashing", module]
        part = Part(arguments, environ, self.directory / f"{module}-{len(self.parts)}.log")
        self.parts.append(part)
        return part

    def submit_traced(self, name: str, **parameters: object) -> TaskId:
        """Submit one of the test tasks that write into a file of their own."""
        return self.submit_many_traced(name, 1, **parameters)[0]

    def submit_many_traced(self, name: str, count: int, **parameters: object) -> list[TaskId]:
        ids = [new_task_id() for _ in range(count)]
        return self.producer.submit_many(
            TaskRequest(name=name, parameters={"path": str(self.trace(task_id)), **parameters}, task_id=task_id)
            for task_id in ids
        )

    def history(self, task_id: TaskId) -> list[Event]:
        return [event.body for event in self.store.load(task_id)]

    def attempts(self, task_id: TaskId) -> list[AttemptStarted]:
        return [event for event in self.history(task_id) if isinstance(event, AttemptStarted)]

    def row(self, task_id: TaskId) -> dict[str, Any] | None:
        """The task's row with its definition's name, as any reporting query sees it."""
        return self.rows(batchtask.c.task_id == task_id).get(task_id)

    def rows(self, *conditions: ColumnElement[bool]) -> dict[TaskId, dict[str, Any]]:
        query = select(batchtask, batchtaskdefinition.c.name).join(batchtaskdefinition, isouter=True)
        with self.engine.connect() as connection:
            rows = connection.execute(query.where(*conditions)).mappings()
            return {TaskId(row["task_id"]): dict(row) for row in rows}

    def states(self) -> dict[TaskId, State]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(batchtask.c.task_id, batchtask.c.state)).all()
        return {TaskId(row.task_id): State(row.state) for row in rows}

    def log_lines(self, task_id: TaskId) -> list[tuple[int, str]]:
        query = select(log_line.c.level, log_line.c.text).where(log_line.c.task_id == task_id).order_by(log_line.c.id)
        with self.engine.connect() as connection:
            return [(row.level, row.text) for row in connection.execute(query)]

    def dead_letters(self, **columns: object) -> list[dict[str, Any]]:
        query = select(dead_letter).where(*(dead_letter.c[name] == value for name, value in columns.items()))
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def wait_finished(self, *task_ids: TaskId, seconds: float = 30) -> dict[str, Any]:
        """Wait until the rows of all tasks have ended, and return the last one's."""
        self.wait_all_finished(task_ids, seconds=seconds)
        row = self.row(task_ids[-1])
        assert row is not None
        return row

    def wait_all_finished(self, task_ids: Collection[TaskId], *, seconds: float) -> None:
        wanted = set(task_ids)

        def rows_have_ended() -> bool:
            ended = {task_id for task_id, state in self.states().items() if state in {State.Succeeded, State.Failed}}
            return wanted <= ended

        self.wait(rows_have_ended, seconds=seconds)

    def wait_started(self, task_id: TaskId, *, attempts: int = 1) -> None:
        """Wait until task code of the newest attempt runs: tasks that can be waited for write a line first."""
        trace = self.trace(task_id)

        def task_code_runs() -> bool:
            return trace.exists() and trace.read_text().count("\n") >= attempts

        self.wait(task_code_runs)

    def wait(self, holds: Callable[[], object], *, seconds: float = 30) -> None:
        """Wait until something holds; when it does not in time, show what the processes said."""
        try:
            eventually(holds, seconds=seconds)
        except AssertionError as error:
            for part in self.parts:
                error.add_note(f"--- {part.name}, exit code {part.process.poll()}\n{part.output[-3000:]}")
            raise

    def open_gates(self, *task_ids: TaskId) -> None:
        for task_id in task_ids:
            self.trace(task_id).with_suffix(".open").touch()

    def trace(self, task_id: TaskId) -> Path:
        """The file of a task that was submitted as traced."""
        return self.directory / str(task_id)

    def close(self) -> None:
        for part in self.parts:
            part.kill()
        self.producer.close()
        self.engine.dispose()


def untimed(events: Iterable[Event]) -> list[Event]:
    """The same without the times at which users made their wishes, which no test can know."""
    return [
        msgspec.structs.replace(event, requested_at=None) if isinstance(event, CancelRequested) else event
        for event in events
    ]


@contextmanager
def running_system(amqp_url: str, database_url: str, directory: Path) -> Iterator[System]:
    """Give a system without any process yet; what was started in it ends with it."""
    system = System(amqp_url, database_url, directory)
    try:
        yield system
    finally:
        system.close()
