"""Random layouts, random edits, random values: publishing keeps every value, and failing anywhere changes nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text

from batchtask.database import make_engine
from batchtask.outcomes import Succeeded
from batchtask.testing import run_task
from batchtask.udef.fields import FieldType
from batchtask.udef.layout import CONVERTIBLE, STORAGES
from tests.udef_support import LIVE, Udefs, publishing
from worker.tasks.publish_udef import publish_udef

INTEGERS = st.integers(-(2**31), 2**31 - 1)
PRINTABLE = st.characters(blacklist_categories=("Cs", "Cc"))
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31)).map(lambda day: f"{day.year:04}{day.month:02}{day.day:02}")
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.NUMBER: INTEGERS,
    FieldType.SHORT_TEXT: st.one_of(st.text(PRINTABLE, max_size=39), INTEGERS.map(str), st.just("  12 ")),
    FieldType.LONG_TEXT: st.text(PRINTABLE, max_size=199),
    FieldType.DATE: st.one_of(st.integers(0, 24855).map(lambda day: 86400 * day), st.integers(0, 2**31 - 1)),
    FieldType.UNLIMITED_DATE: DAYS,
    FieldType.CHECKBOX: st.sampled_from([0, 1]),
    FieldType.LIST: st.integers(0, 4),
    FieldType.DECIMAL: st.one_of(st.floats(), INTEGERS.map(float)),
}
ITEMS = {1: "Bokhandel", 2: "學校" * 30, 3: "Σχολείο"}


@dataclass(frozen=True)
class Edited:
    """A live field and what becomes of it."""

    kind: FieldType
    indexed: bool
    becomes: FieldType | None  #: None = it is removed
    becomes_indexed: bool


@dataclass(frozen=True)
class Case:
    fields: list[Edited]
    added: list[FieldType]
    records: list[list[Any]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    fields = []
    for kind in draw(st.lists(st.sampled_from(sorted(STORAGES)), min_size=1, max_size=6)):
        becomes = draw(st.sampled_from([None, kind, *sorted(CONVERTIBLE.get(kind, ()))]))
        # Four of each kind are indexed: with six fields there may be one too many.
        indexed = draw(st.booleans()) and sum(field.indexed for field in fields) < 4
        becomes_indexed = draw(st.booleans()) and sum(field.becomes_indexed for field in fields) < 4
        fields.append(Edited(kind, indexed, becomes, becomes_indexed))
    values = [st.one_of(st.none(), VALUES[field.kind]) for field in fields]
    records = draw(st.lists(st.tuples(*values).map(list), max_size=4))
    return Case(fields, draw(st.lists(st.sampled_from(sorted(STORAGES)), max_size=2)), records)


def expected(kind: FieldType, becomes: FieldType, value: Any) -> tuple[Any, bool]:
    """What a value becomes, and whether it fits; told in another language than the task's."""
    match kind, becomes:
        case _ if kind is becomes or value is None:
            return value, True
        case FieldType.DECIMAL, FieldType.NUMBER:
            fits = math.isfinite(value) and value == int(value) and -(2**31) <= value < 2**31
            return (int(value), True) if fits else (None, False)
        case FieldType.SHORT_TEXT, FieldType.NUMBER:
            bare = value.strip(" ")
            fits = bare.isascii() and bare.removeprefix("-").isdecimal() and str(int(bare)) == bare
            fits = fits and -(2**31) <= int(bare) < 2**31
            return (int(bare), True) if fits else (None, not bare)
        case FieldType.DATE, FieldType.UNLIMITED_DATE:
            return (f"{moment(value):%Y%m%d}" if value else None), value % 86400 == 0
        case FieldType.DATE, _:
            return (
                f"{moment(value):{'%Y-%m-%d %H:%M:%S' if value % 86400 else '%Y-%m-%d'}}" if value else None
            ), True
        case FieldType.UNLIMITED_DATE, _:
            return f"{value[:4]}-{value[4:6]}-{value[6:]}", True
        case FieldType.LIST, _:
            return ITEMS.get(value, "")[:39] or None, value == 0 or 0 < len(ITEMS.get(value, "")) <= 39
        case _, FieldType.DECIMAL:
            return float(value), True
        case _:
            return str(value), True


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def alike(kind: FieldType, found: Any, wanted: Any) -> bool:
    if kind is FieldType.DECIMAL and found is not None and wanted is not None:
        return float(found) == float(wanted) or (math.isnan(float(found)) and math.isnan(float(wanted)))
    return bool(found == wanted)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def empty(engine: Engine) -> None:
    tables = "contact, udcontactsmall, udcontactlarge, udeffield, userpreference, systemevent, udlist"
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(f'crm7.{name}' for name in tables.split(', '))}"))
        connection.execute(text("TRUNCATE batchtask.task_flag, batchtask.udef_former_value"))
        for number, name in ITEMS.items():
            item = text("INSERT INTO crm7.udlist VALUES (:id, :name, 1, 0, NULL, now(), 0, now(), 0, 0, 1)")
            connection.execute(item, {"id": number, "name": name})


def make(engine: Engine, case: Case) -> Udefs:
    """Bring a case into the database: live fields, records, and the draft."""
    udefs = Udefs(engine)
    taken: set[str] = set()
    live = {}
    for number, field in enumerate(case.fields):
        free = [one for one in STORAGES[field.kind].columns(indexed=field.indexed) if one not in taken]
        live[f"F{number}"] = (field.kind, free[0])
        taken.add(free[0])
    udefs.define(live)
    udefs.fill([{f"F{number}": value for number, value in enumerate(record)} for record in case.records])
    for number, field in enumerate(case.fields):
        if field.becomes is None:
            udefs.remove(f"F{number}")
        else:
            udefs.edit(f"F{number}", fieldtype=field.becomes, indexed=int(field.becomes_indexed))
    for number, kind in enumerate(case.added):
        udefs.add(f"N{number}", kind)
    return udefs


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases())
@example(Case([Edited(FieldType.SHORT_TEXT, False, FieldType.NUMBER, True)], [], [["\u0661"], ["\xa012"], ["-0"]]))
def test_every_value_is_where_its_field_is_or_set_aside(
    engine: Engine, database_url: str, tmp_path: Path, case: Case
) -> None:
    empty(engine)
    udefs = make(engine, case)
    udefs.start()

    outcome = run_task(
        publish_udef, publishing(database_url, tmp_path), owner="contact", misfits="set-aside", remove_all=True
    )

    assert isinstance(outcome, Succeeded), outcome
    seen = udefs.seen()
    aside = []
    for record, found in zip(case.records, seen, strict=True):
        for number, (field, value) in enumerate(zip(case.fields, record, strict=True)):
            if field.becomes is None:
                aside += [f"F{number}"] * is_value(field.kind, value)
                continue
            wanted, fits = expected(field.kind, field.becomes, value)
            aside += [f"F{number}"] * (not fits)
            assert not fits or alike(field.kind, found[f"F{number}"], wanted), (field, value, found[f"F{number}"])
        assert all(found[f"N{number}"] is None for number in range(len(case.added)))
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT field_label FROM batchtask.udef_former_value")).scalars()
        assert sorted(kept) == sorted(aside)


def is_value(kind: FieldType, value: Any) -> bool:
    return value is not None and value != "" and not (kind in {FieldType.DATE, FieldType.LIST} and value == 0)


class Broken(Exception):
    """The statement that was due is not executed."""


@contextmanager
def failing_behind(count: int) -> Iterator[None]:
    """Let that many statements be executed, by whatever engine, and none behind them."""
    left = itertools.count(count, -1)

    def break_down(*_: object) -> None:
        if next(left) <= 0:
            raise Broken

    event.listen(Engine, "before_cursor_execute", break_down)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", break_down)


def test_failing_at_any_statement_leaves_everything_as_it_was(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    udefs = Udefs(engine)
    udefs.define({**LIVE, "Old": (FieldType.NUMBER, "long05")})
    udefs.fill([{"Points": 7, "Group": "Gold", "Share": 0.5, "Old": 3, "Notes": "x"}] * 3)
    udefs.edit("Points", fieldtype=FieldType.SHORT_TEXT, indexed=0)
    udefs.edit("Notes", indexed=1)
    udefs.remove("Old")
    udefs.add("New", FieldType.NUMBER)
    udefs.start()
    context = publishing(database_url, tmp_path)
    before, failures = udefs.dump(), 0
    for last in itertools.count():
        try:
            with failing_behind(last):
                run_task(publish_udef, context, owner="contact")
            break
        except Broken:
            failures += 1
            assert udefs.dump() == before
    assert failures > 30
    assert udefs.seen() == [{"Points": "7", "Group": "Gold", "Share": 0.5, "Notes": "x", "New": None}] * 3
