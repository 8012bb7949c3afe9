"""Children as the worker sees them: real processes that run test tasks, fail, hang and die."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from batchtask.outcomes import Cancelled, Failed, Lost, Succeeded
from tests.children import Ended, ended, interfered, own_pool, run_of, runs, until
from tests.polling import eventually
from worker.children import pool as pool_module
from worker.children.child import Child
from worker.children.frames import LogLine, Progress
from worker.children.pool import ChildPool


@pytest.mark.parametrize(
    ("name", "message", "detail"),
    [
        (
            "raise",
            "The task stopped because of an error in its program (KeyError: 'no such thing').",
            "raise KeyError",
        ),
        ("raise-unprintable", "(UnprintableError: it cannot be told)", "raise UnprintableError"),
        ("exit", "(SystemExit: 3)", "raise SystemExit"),
        ("answer-number", "(TypeError: task 'answer-number' returned a int", "return an outcome"),
        ("refuse", "The selection is empty: add members to it.", ""),
    ],
)
def test_whatever_task_code_does_is_a_failure_and_the_child_takes_the_next_task(
    name: str, message: str, detail: str, loop: asyncio.Runner, shared: ChildPool
) -> None:
    outcome = loop.run(ended(shared, run_of(name)))

    assert isinstance(outcome, Failed)
    assert message in outcome.message
    assert detail in outcome.detail
    assert loop.run(ended(shared, run_of("noop"))) == Succeeded()


def test_parameters_that_do_not_fit_are_a_failure_that_names_the_field(
    loop: asyncio.Runner, shared: ChildPool
) -> None:
    outcome = loop.run(ended(shared, run_of("append", path=7)))

    assert isinstance(outcome, Failed)
    assert "path" in outcome.message


def test_progress_and_log_lines_arrive_before_the_end(loop: asyncio.Runner, shared: ChildPool) -> None:
    frames: list[Progress | LogLine] = []

    outcome = loop.run(ended(shared, run_of("talk"), frames.append))

    assert isinstance(outcome, Succeeded)
    assert outcome.file_name == "/files/?.pdf"
    assert [frame for frame in frames if isinstance(frame, Progress)] == [Progress(40, "Half-way \0 ?")]
    lines = [(frame.level, frame.text) for frame in frames if isinstance(frame, LogLine)]
    assert lines == [(20, "reading the list"), (40, "a bad \0 line ?")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_child_that_dies_is_lost_and_the_signal_is_named(
    number: signal.Signals, loop: asyncio.Runner, shared: ChildPool, tmp_path: Path
) -> None:
    outcome = loop.run(
        interfered(shared, run_of("gate", path=f"{tmp_path}/trace"), lambda _, pid: os.kill(pid, number))
    )

    assert outcome == Lost(detail=f"the process was ended by {number.name}")
    assert loop.run(ended(shared, run_of("noop"))) == Succeeded()


@pytest.mark.parametrize("kill", [lambda child, _: child.kill(), lambda _, pid: os.kill(pid, signal.SIGKILL)])
def test_what_a_task_started_dies_with_its_child(
    kill: Callable[[Child, int], None], loop: asyncio.Runner, shared: ChildPool, tmp_path: Path
) -> None:
    """Also when it holds the child's socket open, as a forked process does."""
    trace = tmp_path / "trace"

    outcome = loop.run(interfered(shared, run_of("grandchild", path=str(trace)), kill))

    assert outcome == Lost(detail="the process was ended by SIGKILL")
    started = [int(pid) for pid in trace.read_text().split()]
    assert len(started) == 2
    eventually(lambda: not any(map(runs, started)))


def test_a_task_that_is_asked_to_stop_is_cancelled_and_the_wish_ends_with_it(
    loop: asyncio.Runner, shared: ChildPool, tmp_path: Path
) -> None:
    run = run_of("gate", path=f"{tmp_path}/trace")

    outcome = loop.run(interfered(shared, run, lambda child, _: child.cancel(run)))

    assert outcome == Cancelled()
    (tmp_path / "next.open").touch()
    assert loop.run(ended(shared, run_of("gate", path=f"{tmp_path}/next"))) == Succeeded(response="went through")


def test_a_wish_to_stop_a_task_means_nothing_to_its_next_attempt_in_the_same_child(
    loop: asyncio.Runner, shared: ChildPool, tmp_path: Path
) -> None:
    """Somebody stops a task and begins it anew: the child that was told runs it again."""
    stopped = run_of("gate", path=f"{tmp_path}/trace")
    assert loop.run(interfered(shared, stopped, lambda child, _: child.cancel(stopped))) == Cancelled()
    anew = msgspec.structs.replace(stopped, fence=2, parameters={"path": f"{tmp_path}/next"})

    outcome = loop.run(interfered(shared, anew, lambda *_: (tmp_path / "next.open").touch()))

    assert outcome == Succeeded(response="went through")


def test_a_wish_that_comes_too_late_does_not_stop_the_next_task(
    loop: asyncio.Runner, shared: ChildPool, tmp_path: Path
) -> None:
    async def one_after_the_other() -> Ended:
        child = await shared.acquire()
        finished, following = run_of("noop"), run_of("append", path=f"{tmp_path}/trace", seconds=0.05)
        await child.run(finished, lambda _: None)
        child.cancel(finished)
        try:
            return await child.run(following, lambda _: None)
        finally:
            shared.release(child)

    assert loop.run(one_after_the_other()) == Succeeded(response="appended")


def test_children_end_when_the_worker_leaves_them(loop: asyncio.Runner) -> None:
    async def started_and_left() -> list[int]:
        async with own_pool(warm=2, largest=2) as pool:
            return [child.pid for child, _ in pool._idle]

    pids = loop.run(started_and_left())

    assert len(set(pids)) == 2
    assert not any(map(runs, pids))


def test_more_children_start_only_while_none_comes_free(loop: asyncio.Runner, tmp_path: Path) -> None:
    async def sizes() -> tuple[int, int, int]:
        async with own_pool(warm=1, largest=3) as pool:
            for _ in range(20):  # each is over within a moment
                await asyncio.gather(*(ended(pool, run_of("noop")) for _ in range(3)))
            short = pool.size
            long = [asyncio.create_task(ended(pool, run_of("gate", path=f"{tmp_path}/{n}"))) for n in range(3)]
            await until(lambda: all((tmp_path / str(n)).exists() for n in range(3)))
            largest = pool.size
            for n in range(3):
                (tmp_path / f"{n}.open").touch()
            await asyncio.gather(*long)
            pool_module.IDLE_SECONDS, kept = 0.0, pool_module.IDLE_SECONDS
            try:
                pool.tidy()
            finally:
                pool_module.IDLE_SECONDS = kept
            return short, largest, pool.size

    assert loop.run(sizes()) == (1, 3, 1)


def test_a_pool_replaces_children_that_died_while_idle(loop: asyncio.Runner) -> None:
    async def outcome_after_deaths() -> tuple[Ended, int]:
        async with own_pool(warm=2, largest=2) as pool:
            for child, _ in pool._idle:
                os.kill(child.pid, signal.SIGKILL)
            await until(lambda: not any(child.alive for child, _ in pool._idle))
            return await ended(pool, run_of("noop")), pool.size

    assert loop.run(outcome_after_deaths()) == (Succeeded(), 1)
