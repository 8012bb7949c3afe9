"""What limits do to children: told, interrupted in task code and nowhere else, killed with all that they started."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from batchtask.outcomes import Lost, Succeeded, TimedOut
from tests.children import Ended, ended, interfered, own_pool, run_of, runs, until
from tests.polling import eventually
from worker.children import pool as pool_module
from worker.children.frames import LogLine
from worker.children.memory import holds_more, tree_holds_more
from worker.children.pool import ChildPool
from worker.modes import hard_limit, memory_limit

SEED = 20260302


def test_a_task_that_looks_sees_that_time_is_short(loop: asyncio.Runner, shared: ChildPool, tmp_path: Path) -> None:
    run = run_of("notices", path=f"{tmp_path}/trace")

    outcome = loop.run(interfered(shared, run, lambda child, _: child.tell_time_is_short(run, interrupt=False)))

    assert outcome == Succeeded(response="stopped in time")


@pytest.mark.parametrize("how", ["sleep", "wait", "spin", "talk"])
def test_a_task_is_interrupted_in_the_middle_of_whatever_it_does(
    how: str, loop: asyncio.Runner, shared: ChildPool, tmp_path: Path
) -> None:
    run = run_of("interrupted", path=f"{tmp_path}/trace", how=how)

    outcome = loop.run(interfered(shared, run, lambda child, _: child.tell_time_is_short(run, interrupt=True)))

    assert outcome == TimedOut(limit_seconds=1)
    assert (tmp_path / "trace").read_text() == "began\ninterrupted\n"


def test_a_task_may_catch_the_interruption_which_comes_once_and_return(
    loop: asyncio.Runner, shared: ChildPool, tmp_path: Path
) -> None:
    run = run_of("interrupted", path=f"{tmp_path}/trace", how="save")

    outcome = loop.run(interfered(shared, run, lambda child, _: child.tell_time_is_short(run, interrupt=True)))

    assert outcome == Succeeded(response="saved")
    assert (tmp_path / "trace").read_text() == "began\ninterrupted\n"


def test_an_interruption_tears_nothing_of_ours_wherever_it_hits(loop: asyncio.Runner) -> None:
    """One child, interrupted at random in, between and after many short tasks that log all the time."""
    chance = random.Random(SEED)

    async def outcomes() -> list[Ended]:
        async with own_pool(warm=1, largest=1) as pool:
            child = await pool.acquire()
            ended: list[Ended] = []
            frames: list[object] = []
            for _ in range(400):
                frames.clear()
                run = run_of("brief")
                running = asyncio.ensure_future(child.run(run, frames.append))
                await asyncio.sleep(chance.uniform(0, 0.002))
                child.tell_time_is_short(run, interrupt=True)
                ended.append(await running)
                assert list(map(text_of, frames)) == [str(number) for number in range(len(frames))]
                assert len(frames) == 20 or ended[-1] == TimedOut(limit_seconds=1)
            pool.release(child)
            return ended

    found = loop.run(outcomes())

    assert {type(outcome) for outcome in found} == {Succeeded, TimedOut}


def test_a_child_that_was_interrupted_runs_no_other_task(loop: asyncio.Runner, tmp_path: Path) -> None:
    async def pids() -> tuple[Ended, Ended, Ended]:
        async with own_pool(warm=1, largest=1) as pool:
            run = run_of("interrupted", path=f"{tmp_path}/trace", how="save")
            before = await ended(pool, run_of("pid"))
            saved = await interfered(pool, run, lambda child, _: child.tell_time_is_short(run, interrupt=True))
            return before, saved, await ended(pool, run_of("pid"))

    before, saved, after = loop.run(pids())

    assert saved == Succeeded(response="saved")
    assert isinstance(after, Succeeded)
    assert before != after


@pytest.mark.parametrize("how", ["stay", "die"])
def test_what_left_the_process_group_dies_with_the_child_that_is_killed(
    how: str, loop: asyncio.Runner, shared: ChildPool, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    run = run_of("leaves-processes", path=str(trace), how=how)

    async def killed() -> Ended:
        child = await shared.acquire()
        try:
            running = asyncio.ensure_future(child.run(run, lambda _: None))
            await until(lambda: trace.exists() and "began" in trace.read_text())
            if how == "stay":
                child.kill()
            return await running
        finally:
            shared.release(child)

    outcome = loop.run(killed())

    assert outcome == Lost(detail="the process was ended by SIGKILL")
    assert_gone(trace)


def test_what_a_task_leaves_behind_ends_with_it_and_the_child_goes_on(
    loop: asyncio.Runner, shared: ChildPool, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"

    assert loop.run(ended(shared, run_of("leaves-processes", path=str(trace)))) == Succeeded(response="left")

    assert_gone(trace)
    assert loop.run(ended(shared, run_of("noop"))) == Succeeded()


def assert_gone(trace: Path) -> None:
    started = [int(line) for line in trace.read_text().split() if line != "began"]
    assert len(started) == 2
    eventually(lambda: not any(map(runs, started)))


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_memory_is_that_of_the_child_and_of_what_it_started(
    where: str, loop: asyncio.Runner, shared: ChildPool, tmp_path: Path
) -> None:
    run = run_of("takes-memory", path=f"{tmp_path}/trace", mb=200, where=where)

    async def measured() -> tuple[bool, bool, bool]:
        child = await shared.acquire()
        before = holds_more(child.pid, 40)
        try:
            running = asyncio.ensure_future(child.run(run, lambda _: None))
            await until(lambda: tree_holds_more(child.pid, 190))
            alone = holds_more(child.pid, 190)
            far_too_much = tree_holds_more(child.pid, 300)
            child.kill()
            await running
            return before, alone, far_too_much
        finally:
            shared.release(child)

    before, alone, far_too_much = loop.run(measured())

    assert not before, "what a child shares with the fork server counts"
    assert alone is (where == "here")
    assert not far_too_much


def test_a_child_is_replaced_after_so_many_tasks_and_none_is_lost(loop: asyncio.Runner) -> None:
    async def pids() -> tuple[list[Ended], int]:
        async with own_pool(warm=1, largest=2, child_tasks=10) as pool:
            answers = await asyncio.gather(*(ended(pool, run_of("pid")) for _ in range(95)))
            await until(lambda: pool.size)
            return answers, pool.size

    answers, size = loop.run(pids())

    assert all(isinstance(answer, Succeeded) for answer in answers)
    counts = {answer: answers.count(answer) for answer in set(map(str, answers))}
    assert len(counts) >= 10
    assert size >= 1


def test_a_child_that_holds_too_much_after_a_task_is_replaced(
    loop: asyncio.Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "LOOK_SECONDS", 0.0)
    (tmp_path / "small.open").touch()
    (tmp_path / "large.open").touch()

    async def pids() -> list[Ended]:
        async with own_pool(warm=1, largest=1, child_memory_mb=100) as pool:
            small = run_of("takes-memory", path=f"{tmp_path}/small", mb=5, where="kept")
            large = run_of("takes-memory", path=f"{tmp_path}/large", mb=200, where="kept")
            return [await ended(pool, run) for run in (small, large, run_of("pid"))]

    small, large, after = loop.run(pids())

    assert small == large
    assert after != large
    assert isinstance(after, Succeeded)


def test_a_task_is_not_charged_for_the_memory_of_those_before_it(loop: asyncio.Runner, tmp_path: Path) -> None:
    (tmp_path / "before.open").touch()

    async def pids() -> tuple[int, int, int]:
        async with own_pool(warm=1, largest=1) as pool:
            await ended(pool, run_of("takes-memory", path=f"{tmp_path}/before", mb=80, where="kept"))
            taken = []
            for limit_mb in (None, 400, 100):
                child = await pool.acquire(limit_mb)
                taken.append(child.pid)
                pool.release(child)
            return taken[0], taken[1], taken[2]

    without, roomy, tight = loop.run(pids())

    assert without == roomy
    assert tight != without


def test_warm_children_that_died_are_replaced_before_a_task_comes(loop: asyncio.Runner) -> None:
    async def refilled() -> int:
        async with own_pool(warm=2, largest=3) as pool:
            for child, _ in pool._idle:
                os.kill(child.pid, 9)
            await until(lambda: not any(child.alive for child, _ in pool._idle))
            pool.tidy()
            await until(lambda: len(pool._idle) == 2)
            return pool.size

    assert loop.run(refilled()) == 2


@pytest.mark.parametrize(
    ("definition", "service", "counts"),
    [(0, -1, None), (30, -1, 30), (0, 20.5, 20.5), (30, 20, 20), (10, 20, 10)],
)
def test_of_two_time_limits_the_smaller_counts(definition: float, service: float, counts: float | None) -> None:
    assert hard_limit(definition, service) == counts


@pytest.mark.parametrize(
    ("definition", "service", "counts"), [(0, 0, None), (64, 0, 64), (0, 32, 32), (64, 32, 32), (16, 32, 16)]
)
def test_of_two_memory_limits_the_smaller_counts(definition: int, service: int, counts: int | None) -> None:
    assert memory_limit(definition, service) == counts


def text_of(frame: object) -> str:
    assert isinstance(frame, LogLine), frame
    return frame.text
