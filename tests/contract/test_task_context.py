"""What task code may rely on, in a child process of a worker and in the context of `batchtask.testing`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest
from batchtask_contexttasks import in_context, in_context_raising
from sqlalchemy import Engine, select, text

from batchtask.database import make_engine
from batchtask.identifiers import TaskId, new_task_id
from batchtask.outcomes import Cancelled, Failed, Lost, Snoozed, Succeeded
from batchtask.store import EventStore
from batchtask.tables import effect
from batchtask.testing import FakeContext, run_attempt
from tests.children import Ended, closed
from tests.desks import Desks, command
from worker.children.frames import Appended, LogLine, Progress, Run
from worker.children.pool import ChildPool
from worker.children.process import ChildSettings

Frame = Progress | LogLine | Appended


class Bench(Protocol):
    """One task, attempt by attempt, and what is left of it."""

    lines: list[tuple[int, str]]
    reports: list[tuple[int, str]]

    def attempt(self, scenario: str, *, wish: str = "", definition: str = "in-context") -> Ended:
        """Run a scenario; a wish, `cancel` or `hurry`, comes when it has reported progress."""

    def take_over(self) -> None:
        """Let somebody else work on the task when the next attempt runs."""

    @property
    def checkpoint(self) -> dict[str, Any] | None: ...

    @property
    def effects(self) -> dict[str, str | None]: ...

    @property
    def folder(self) -> Path: ...

    @property
    def task_id(self) -> TaskId: ...


class FakeBench:
    def __init__(self, folder: Path, database_url: str) -> None:
        self._context = FakeContext(folder=folder, database_url=database_url, owner=3, task_id=new_task_id())
        self._lost = False
        self.lines, self.reports = self._context.lines, self._context.reports
        self.folder, self.task_id = folder, self._context.task_id

    def attempt(self, scenario: str, *, wish: str = "", definition: str = "in-context") -> Ended:
        if self._lost:
            self._context.next_attempt()
        if wish == "cancel":
            self._context.cancel_after = 3
        elif wish == "hurry":
            self._context.short_after = 3
        found = {"in-context": in_context, "in-context-raising": in_context_raising}[definition]
        outcome = run_attempt(found, self._context, scenario=scenario, process=False)
        self._lost = isinstance(outcome, Lost)
        return outcome

    def take_over(self) -> None:
        self._context.lease_lost = True

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        return self._context.checkpoint

    @property
    def effects(self) -> dict[str, str | None]:
        return self._context.effects


class RealBench:
    def __init__(self, folder: Path, store: EventStore, loop: asyncio.Runner, pool: ChildPool) -> None:
        self._store, self._loop, self._pool = store, loop, pool
        self._lease = Desks(store).lease(command())
        self._lost = False
        self.lines: list[tuple[int, str]] = []
        self.reports: list[tuple[int, str]] = []
        self.task_id = self._lease.task_id
        self.folder = folder / str(self.task_id)

    def attempt(self, scenario: str, *, wish: str = "", definition: str = "in-context") -> Ended:
        if self._lost:
            self._lease = self._next_lease()
        run = Run(
            task_id=self.task_id,
            name=definition,
            parameters={"scenario": scenario},
            payload_ref=None,
            owner=3,
            attempt=self._lease.attempt,
            fence=self._lease.fence,
            checkpoint=self._lease.checkpoint,
        )
        outcome = self._loop.run(self._run(run, wish))
        self._lost = isinstance(outcome, Lost)
        return outcome

    async def _run(self, run: Run, wish: str) -> Ended:
        child = await self._pool.acquire()

        def report(frame: Frame) -> None:
            if isinstance(frame, LogLine):
                self.lines.append((frame.level, frame.text))
            elif isinstance(frame, Progress):
                self.reports.append((frame.percent, frame.text))
                if wish == "cancel":
                    child.cancel(run)
                elif wish == "hurry":
                    child.tell_time_is_short(run, interrupt=run.name.endswith("raising"))

        try:
            return await child.run(run, report)
        finally:
            self._pool.release(child)

    def take_over(self) -> None:
        self._next_lease()

    def _next_lease(self) -> Any:
        return Desks(self._store, "another worker").lease(self._lease.command, redelivered=True)

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        return self._store.state(self.task_id).checkpoint

    @property
    def effects(self) -> dict[str, str | None]:
        query = select(effect.c.key, effect.c.outcome).where(effect.c.task_id == self.task_id)
        with self._store.engine.connect() as connection:
            return {row.key: row.outcome for row in connection.execute(query)}


@pytest.fixture(scope="module")
def database(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    with databases() as url:
        yield url


@pytest.fixture(scope="module")
def engine(database: str) -> Iterator[Engine]:
    engine = make_engine(database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE made (task_id uuid, number int, PRIMARY KEY (task_id, number))"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def files_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def pool(loop: asyncio.Runner, database: str, files_dir: Path) -> Iterator[ChildPool]:
    pool = ChildPool(ChildSettings(database_url=database, files_dir=files_dir, payload_url=""), warm=1, largest=2)
    loop.run(pool.start())
    yield pool
    loop.run(closed(pool))


@pytest.fixture(params=["fake", "real"])
def bench(request: pytest.FixtureRequest, engine: Engine, database: str, tmp_path: Path) -> Bench:
    if request.param == "fake":
        return FakeBench(tmp_path, database)
    pool, loop = request.getfixturevalue("pool"), request.getfixturevalue("loop")
    return RealBench(request.getfixturevalue("files_dir"), EventStore(engine), loop, pool)


@pytest.fixture
def rows(engine: Engine, bench: Bench) -> Callable[[], list[int]]:
    def rows() -> list[int]:
        with engine.connect() as connection:
            query = text("SELECT number FROM made WHERE task_id = :id ORDER BY number")
            return list(connection.execute(query, {"id": bench.task_id}).scalars())

    return rows


def said(outcome: Ended) -> str:
    assert isinstance(outcome, Succeeded), outcome
    return outcome.response


@pytest.mark.parametrize(
    ("scenario", "outcome"),
    [
        ("answers_nothing", Succeeded()),
        ("answers_text", Succeeded(response="a?" + "x" * 9_998)),
        ("answers_succeeded", Succeeded(response="done", file_name="list.csv")),
        ("answers_failed", Failed(message="no", detail="why", retry=True)),
        ("answers_snoozed", Snoozed(seconds=5, reason="later")),
        ("answers_cancelled", Cancelled(response="half")),
        ("raises_expected", Failed(message="The selection is empty.")),
    ],
)
def test_what_is_returned_or_failed_as_expected_is_the_outcome(bench: Bench, scenario: str, outcome: Ended) -> None:
    assert bench.attempt(scenario) == outcome


@pytest.mark.parametrize(
    ("scenario", "what", "retry"),
    [
        ("raises_retried", "OSError: away", True),
        ("raises_other", "KeyError: 'no such thing'", False),
        ("raises_wordy", "ValueError: no room", False),
        (
            "answers_number",
            "TypeError: task 'in-context' returned a int; return an outcome, a text, or nothing",
            False,
        ),
    ],
)
def test_any_other_error_is_told_to_the_operator(bench: Bench, scenario: str, what: str, retry: bool) -> None:
    outcome = bench.attempt(scenario)

    assert isinstance(outcome, Failed)
    assert outcome.message == (
        f"The task stopped because of an error in its program ({what}). Tell your administrator."
    )
    assert "Traceback" in outcome.detail
    assert ("'Kari'" in outcome.detail) is (scenario == "raises_wordy")
    assert outcome.retry is retry


def test_a_database_that_is_away_is_told_without_its_address(bench: Bench) -> None:
    outcome = bench.attempt("asks_a_database_that_is_away")

    assert isinstance(outcome, Failed)
    assert outcome.message.startswith("The database did not answer while the task was at work. Start it again;")
    assert "10.0.0.7" in outcome.detail


def test_lines_at_info_and_above_of_any_logger_are_kept(bench: Bench) -> None:
    bench.attempt("talks")

    assert bench.lines == [(20, "hello Ida"), (30, "y" * 4_000)]


@pytest.mark.parametrize(
    ("scenario", "report"),
    [
        ("progresses_too_far", (100, "ø" * 254)),
        ("progresses_below", (0, "a?")),
        ("progresses_within", (41, "")),
    ],
)
def test_progress_is_kept_as_its_columns_hold_it(bench: Bench, scenario: str, report: tuple[int, str]) -> None:
    bench.attempt(scenario)

    assert bench.reports == [report]


def test_result_files_stay_in_the_folder_of_the_task(bench: Bench) -> None:
    told = said(bench.attempt("names_files")).splitlines()

    assert told[:4] == ["nothing"] * 4
    assert told[4:] == [f"ValueError: {name!r} is no file name" for name in ("", ".", "..", "a/..")]
    assert [(path.name, path.read_text()) for path in bench.folder.iterdir()] == [("list.csv", "kept")]


def test_the_context_tells_whose_task_it_is(bench: Bench) -> None:
    assert said(bench.attempt("tells_of_itself")) == "3 1 None False False"


def test_a_wish_to_stop_ends_the_attempt_at_its_next_safe_point(bench: Bench) -> None:
    assert bench.attempt("waits_for_a_wish", wish="cancel") == Cancelled()


def test_task_code_may_look_for_the_wish_itself(bench: Bench) -> None:
    assert bench.attempt("asks_for_a_wish", wish="cancel") == Cancelled(response="half is done")


def test_task_code_sees_that_time_is_short(bench: Bench) -> None:
    assert said(bench.attempt("waits_for_time", wish="hurry")) == "short"


def test_task_code_is_told_that_time_is_short_if_its_definition_says_so(bench: Bench) -> None:
    outcome = bench.attempt("is_told_of_time", wish="hurry", definition="in-context-raising")

    assert said(outcome) == "short"


def test_a_checkpoint_is_a_copy_when_it_is_saved_and_when_it_is_read(bench: Bench) -> None:
    assert said(bench.attempt("saves")) == "{'done': [1]}"

    assert bench.checkpoint == {"done": [1]}


def test_a_checkpoint_that_json_would_change_or_that_is_too_large_is_refused(bench: Bench) -> None:
    told = said(bench.attempt("saves_what_json_changes")).splitlines()

    assert told[:6] == ["ValueError: A checkpoint holds text without NUL char"] * 6
    assert told[6:] == ["ValueError: A checkpoint may take 65536 bytes as JSO", "None"]


def test_rows_and_checkpoint_are_there_when_the_block_has_ended(bench: Bench, rows: Callable[[], list[int]]) -> None:
    assert said(bench.attempt("commits")) == "None None {'done': 1}"

    assert (rows(), bench.checkpoint) == ([1], {"done": 1})


def test_a_block_without_rows_saves_its_checkpoint(bench: Bench) -> None:
    bench.attempt("commits_nothing_but_a_checkpoint")

    assert bench.checkpoint == {"done": 0}


@pytest.mark.parametrize(
    ("scenario", "told", "left"),
    [
        ("rolls_back", "ValueError: no None", []),
        ("breaks_a_constraint", "IntegrityError", []),
        ("commits_by_itself", "InvalidRequestError: The end of the `with` block commits; lea", []),
        ("nests", "InvalidRequestError: A transaction of this task is open alrea", [2]),
    ],
)
def test_an_error_in_a_block_rolls_it_back_and_passes_through(
    bench: Bench, rows: Callable[[], list[int]], scenario: str, told: str, left: list[int]
) -> None:
    assert said(bench.attempt(scenario)) == told

    assert (rows(), bench.checkpoint, bench.effects) == (left, None, {})


def test_an_attempt_that_was_taken_over_commits_nothing_and_does_nothing_outside(
    bench: Bench, rows: Callable[[], list[int]]
) -> None:
    bench.take_over()

    assert said(bench.attempt("goes_on_although_it_lost")) == "LeaseLost LeaseLost LeaseLost"

    assert (rows(), bench.checkpoint, bench.effects) == ([], None, {})


def test_a_connection_commits_what_its_caller_commits(bench: Bench, rows: Callable[[], list[int]]) -> None:
    bench.attempt("connects")

    assert rows() == [1]


def test_an_attempt_that_dies_in_a_block_leaves_what_was_saved_before(
    bench: Bench, rows: Callable[[], list[int]]
) -> None:
    assert isinstance(bench.attempt("dies_in_a_transaction"), Lost)
    assert rows() == []

    assert said(bench.attempt("dies_in_a_transaction")) == "2 {'begun': True}"


def test_an_effect_is_done_once_and_remembered_as_text_that_the_database_takes(bench: Bench) -> None:
    assert said(bench.attempt("does_an_effect_twice")) == "a\ufffdb?|a\ufffdb?||"

    assert bench.effects == {"mail": "a\ufffdb?", "print": ""}


def test_an_error_that_proves_nothing_was_done_lets_it_be_done_later(bench: Bench) -> None:
    assert said(bench.attempt("is_refused")) == "Refused: |sent"


def test_any_other_error_leaves_an_effect_in_doubt_for_the_same_attempt_too(bench: Bench) -> None:
    told = said(bench.attempt("does_not_know"))

    assert told.startswith("TimeoutError: |EffectInDoubt: It is not known whether 'mail' was done")
    assert bench.effects == {"mail": None}


def test_a_key_that_the_ledger_cannot_hold_is_refused(bench: Bench) -> None:
    told = said(bench.attempt("names_an_effect_badly")).splitlines()

    assert told == ["ValueError: The key of an effect is a text of 1 to 5"] * 3
    assert bench.effects == {}


@pytest.mark.parametrize(
    ("scenario", "outcome", "remembered"),
    [
        ("dies_in_an_effect_and_hears_yes", Succeeded(response="it was"), "it was"),
        ("dies_in_an_effect_and_hears_no", Succeeded(response="performed"), "performed"),
        (
            "dies_in_an_effect",
            Failed(
                message="It is not known whether 'mail' was done: an earlier attempt was stopped in the middle "
                "of it. Find out, then run the task again with or without it."
            ),
            None,
        ),
    ],
)
def test_an_effect_in_doubt_is_asked_for_or_fails_the_task(
    bench: Bench, scenario: str, outcome: Ended, remembered: str | None
) -> None:
    assert isinstance(bench.attempt(scenario), Lost)
    assert bench.effects == {"mail": None}

    assert bench.attempt(scenario) == outcome

    assert bench.effects == {"mail": remembered}
