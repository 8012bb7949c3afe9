"""What task code may do with its context, one scenario after the other; tests/contract looks at what comes of it."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import msgspec

from batchtask.definitions import OnSoftLimit, TaskContext, TaskFailure, TimeIsShort, task
from batchtask.errors import StoreUnavailable
from batchtask.outcomes import Cancelled, Failed, Snoozed, Succeeded
from batchtask.retrying import RetryPolicy
from batchtask.testing import Killed


class InContext(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    scenario: str
    process: bool = True  #: there is one to kill


class Refused(Exception):
    """The other side said no."""


Scenario = Callable[[TaskContext, Callable[[], Any]], Any]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__] = function
    return function


@task("in-context", timeout=60, retry=RetryPolicy(attempts=3, retry_on=(OSError,)))
def in_context(context: TaskContext, parameters: InContext) -> Any:
    """Run a scenario."""
    return SCENARIOS[parameters.scenario](context, die if parameters.process else die_alone)


@task("in-context-raising", timeout=60, soft_timeout=30, on_soft_limit=OnSoftLimit.RAISE)
def in_context_raising(context: TaskContext, parameters: InContext) -> Any:
    """Run a scenario whose soft limit is raised."""
    return SCENARIOS[parameters.scenario](context, die)


def die() -> Any:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def die_alone() -> Any:
    raise Killed


def insert(context: TaskContext, session: Any, number: int) -> None:
    from sqlalchemy import text

    session.execute(text("INSERT INTO made VALUES (:id, :number)"), {"id": context.task_id, "number": number})


def error_of(act: Callable[[], object]) -> str:
    """The name of what an action raises, and how it begins."""
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:40]}"
    return "nothing"


SCENARIOS |= {
    "answers_nothing": lambda context, die: None,
    "answers_text": lambda context, die: "a\udcff" + "x" * 10_000,
    "answers_succeeded": lambda context, die: Succeeded(response="done", file_name="list.csv"),
    "answers_failed": lambda context, die: Failed(message="no", detail="why", retry=True),
    "answers_snoozed": lambda context, die: Snoozed(seconds=5, reason="later"),
    "answers_cancelled": lambda context, die: Cancelled(response="half"),
    "answers_number": lambda context, die: 7,
}


@scenario
def raises_expected(context: TaskContext, die: Callable[[], Any]) -> None:
    raise TaskFailure("The selection is empty.")


@scenario
def raises_retried(context: TaskContext, die: Callable[[], Any]) -> None:
    raise OSError("away")


@scenario
def raises_other(context: TaskContext, die: Callable[[], Any]) -> None:
    raise KeyError("no such thing")


@scenario
def raises_wordy(context: TaskContext, die: Callable[[], Any]) -> None:
    raise ValueError("no room\n[SQL: INSERT ...]\n[parameters: 'Kari']")


@scenario
def asks_a_database_that_is_away(context: TaskContext, die: Callable[[], Any]) -> None:
    raise StoreUnavailable("connection to server at 10.0.0.7 refused")


@scenario
def talks(context: TaskContext, die: Callable[[], Any]) -> None:
    context.log.debug("unheard")
    context.log.info("hello %s", "Ida")
    logging.getLogger("a.library").warning("y" * 5_000)


@scenario
def progresses_too_far(context: TaskContext, die: Callable[[], Any]) -> None:
    context.progress(1234.5, "ø" * 300)


@scenario
def progresses_below(context: TaskContext, die: Callable[[], Any]) -> None:
    context.progress(-3, "a\udcff")


@scenario
def progresses_within(context: TaskContext, die: Callable[[], Any]) -> None:
    context.progress(41.9)


@scenario
def names_files(context: TaskContext, die: Callable[[], Any]) -> str:
    names = ("list.csv", "../../etc/list.csv", "/list.csv", "folder/", "", ".", "..", "a/..")
    told = [error_of(lambda name=name: context.result_path(name)) for name in names]
    context.result_path("sub/list.csv").write_text("kept")
    return "\n".join(told)


@scenario
def tells_of_itself(context: TaskContext, die: Callable[[], Any]) -> str:
    return (
        f"{context.owner} {context.attempt} {context.traceparent} {context.cancel_requested} {context.time_is_short}"
    )


@scenario
def waits_for_a_wish(context: TaskContext, die: Callable[[], Any]) -> None:
    context.progress(1, "waiting")
    while True:
        context.check_cancelled()
        time.sleep(0.005)


@scenario
def asks_for_a_wish(context: TaskContext, die: Callable[[], Any]) -> Cancelled:
    context.progress(1, "waiting")
    while not context.cancel_requested:
        time.sleep(0.005)
    return Cancelled(response="half is done")


@scenario
def waits_for_time(context: TaskContext, die: Callable[[], Any]) -> str:
    context.progress(1, "waiting")
    while not context.time_is_short:
        time.sleep(0.005)
    return "short"


@scenario
def is_told_of_time(context: TaskContext, die: Callable[[], Any]) -> str:
    context.progress(1, "waiting")
    try:
        while True:
            context.check_cancelled()
            time.sleep(0.005)
    except TimeIsShort:
        return "short"


@scenario
def saves(context: TaskContext, die: Callable[[], Any]) -> str:
    data = {"done": [1]}
    context.save_checkpoint(data)
    data["done"].append(2)
    read = context.checkpoint
    assert read is not None
    read["done"] = 7
    return str(context.checkpoint)


@scenario
def saves_what_json_changes(context: TaskContext, die: Callable[[], Any]) -> str:
    odd: tuple[Any, ...] = ({"r": (1, 2)}, {1: "key"}, {"nan": float("nan")}, {"nul": "\0"}, {"x": object()}, [1])
    told = [error_of(lambda data=data: context.save_checkpoint(data)) for data in odd]
    too_large = error_of(lambda: context.save_checkpoint({"x": "x" * 65_536}))
    return "\n".join([*told, too_large, str(context.checkpoint)])


@scenario
def commits(context: TaskContext, die: Callable[[], Any]) -> str:
    before = context.checkpoint
    with context.transaction() as session:
        insert(context, session, 1)
        context.save_checkpoint({"done": 1})
        inside = context.checkpoint
    return f"{before} {inside} {context.checkpoint}"


@scenario
def commits_nothing_but_a_checkpoint(context: TaskContext, die: Callable[[], Any]) -> None:
    with context.transaction():
        context.save_checkpoint({"done": 0})


@scenario
def rolls_back(context: TaskContext, die: Callable[[], Any]) -> str:
    def block() -> None:
        with context.transaction() as session:
            insert(context, session, 1)
            context.save_checkpoint({"done": 1})
            raise ValueError("no")

    return f"{error_of(block)} {context.checkpoint}"


@scenario
def breaks_a_constraint(context: TaskContext, die: Callable[[], Any]) -> str:
    def block() -> None:
        with context.transaction() as session:
            insert(context, session, 1)
            insert(context, session, 1)

    return error_of(block)[:14]


@scenario
def commits_by_itself(context: TaskContext, die: Callable[[], Any]) -> str:
    def block() -> None:
        with context.transaction() as session:
            insert(context, session, 1)
            session.commit()

    return error_of(block)


@scenario
def nests(context: TaskContext, die: Callable[[], Any]) -> str:
    def block() -> None:
        with context.transaction() as session:
            insert(context, session, 1)
            with context.transaction():
                pass

    told = error_of(block)
    with context.transaction() as session:  # and is open no more
        insert(context, session, 2)
    return told


@scenario
def connects(context: TaskContext, die: Callable[[], Any]) -> None:
    with context.connect() as connection:
        insert(context, connection, 1)
        connection.commit()
        insert(context, connection, 2)


@scenario
def dies_in_a_transaction(context: TaskContext, die: Callable[[], Any]) -> str:
    if context.checkpoint is None:
        context.save_checkpoint({"begun": True})
        with context.transaction() as session:
            insert(context, session, 1)
            context.save_checkpoint({"done": 1})
            die()
    return f"{context.attempt} {context.checkpoint}"


@scenario
def does_an_effect_twice(context: TaskContext, die: Callable[[], Any]) -> str:
    first = context.effect("mail", lambda: "a\0b\udcff")
    nothing = context.effect("print", lambda: None)
    return f"{first}|{context.effect('mail', lambda: 'again')}|{nothing}|{context.effect('print', die)}"


@scenario
def is_refused(context: TaskContext, die: Callable[[], Any]) -> str:
    def refuse() -> str:
        raise Refused

    told = error_of(lambda: context.effect("mail", refuse, not_done=(Refused,)))
    return f"{told}|{context.effect('mail', lambda: 'sent')}"


@scenario
def does_not_know(context: TaskContext, die: Callable[[], Any]) -> str:
    def time_out() -> str:
        raise TimeoutError

    told = error_of(lambda: context.effect("mail", time_out, not_done=(Refused,)))
    return f"{told}|{error_of(lambda: context.effect('mail', lambda: 'sent'))}"


@scenario
def names_an_effect_badly(context: TaskContext, die: Callable[[], Any]) -> str:
    return "\n".join(error_of(lambda key=key: context.effect(key, die)) for key in ("", "a\0b", "x" * 501))


@scenario
def dies_in_an_effect(context: TaskContext, die: Callable[[], Any]) -> str:
    return context.effect("mail", die if context.attempt == 1 else lambda: "performed")


@scenario
def dies_in_an_effect_and_hears_yes(context: TaskContext, die: Callable[[], Any]) -> str:
    return context.effect("mail", die if context.attempt == 1 else lambda: "performed", ask=lambda: "it was")


@scenario
def dies_in_an_effect_and_hears_no(context: TaskContext, die: Callable[[], Any]) -> str:
    return context.effect("mail", die if context.attempt == 1 else lambda: "performed", ask=lambda: None)


@scenario
def goes_on_although_it_lost(context: TaskContext, die: Callable[[], Any]) -> str:
    def block() -> None:
        with context.transaction() as session:
            insert(context, session, 1)

    acts = (lambda: context.save_checkpoint({"x": 1}), block, lambda: context.effect("mail", die))
    return " ".join(error_of(act).partition(":")[0] for act in acts)
