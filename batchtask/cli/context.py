"""What commands share: settings from the environment, queries, output as text or JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer
from rich.console import Console
from sqlalchemy import Engine

from batchtask.database import make_engine
from batchtask.errors import SettingsError, TaskNotFound
from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from projections.queries import Queries

#: What the numbers of tasks and associates are in the database.
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**31), 2**31 - 1
UUID_DIGITS = 32

out = Console(highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one document.")]
TaskKey = Annotated[str, typer.Argument(help="The task's id, or its number in crm7.batchtask.")]


@contextmanager
def database() -> Iterator[Engine]:
    """Give an engine on the database that the environment names."""
    with engine_on(Settings.read(os.environ)) as engine:
        yield engine


@contextmanager
def engine_on(settings: Settings) -> Iterator[Engine]:
    """Give an engine on the database that settings name."""
    engine = make_engine(settings.require_database())
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def queries() -> Iterator[Queries]:
    with database() as engine:
        yield Queries(engine)


def print_json(value: Any) -> None:
    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def read_key(text: str) -> TaskId | int:
    """Read a task's id or number.

    Raises:
        SettingsError: It is neither.
        TaskNotFound: It is a number, larger than any task can have.
    """
    if text.isdecimal() and len(text) < UUID_DIGITS:
        number = int(text)
        if number > LARGEST_INTEGER:
            raise TaskNotFound(text)
        return number
    try:
        return TaskId(UUID(text))
    except ValueError:
        raise SettingsError([f"{text!r} is neither a task id nor a task number"]) from None


def find_task_id(found: Queries, text: str) -> TaskId:
    """Turn an id or number that somebody typed into the id.

    Raises:
        TaskNotFound: There is no row of it.
    """
    return TaskId(found.task(read_key(text)).task_id)
