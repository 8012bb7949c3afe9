"""Publishing a draft that moves and converts fields of 200 000 companies, all 119 of which are in use."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import Engine, text

from batchtask.database import make_engine
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext, run_task
from batchtask.udef.fields import FieldType
from tests.udef_support import Udefs
from worker.tasks.publish_udef import publish_udef

RECORDS = 200_000

_FIELDS: dict[str, tuple[FieldType, str]] = {
    **{f"Number {n}": (FieldType.NUMBER, f"long{n:02}") for n in range(1, 61)},
    **{f"Text {n}": (FieldType.SHORT_TEXT, f"string{n:02}") for n in range(1, 41)},
    **{f"Notes {n}": (FieldType.LONG_TEXT, f"string{n:02}") for n in range(41, 50)},
    **{f"Decimal {n}": (FieldType.DECIMAL, f"double{n:02}") for n in range(1, 11)},
}


def measure(database_url: str, folder: Path) -> dict[str, float]:
    """Publish once and return seconds, megabytes, and the longest time that a reader had to wait meanwhile."""
    engine = make_engine(database_url)
    udefs = Udefs(engine)
    udefs.define(_FIELDS)
    _fill(engine)
    _draft(udefs)
    udefs.start()
    context = FakeContext(folder=folder, database_url=database_url, owner=0)
    reader = _Reader(engine)
    began_at = time.monotonic()
    outcome = run_task(publish_udef, context, owner="contact")
    seconds = time.monotonic() - began_at
    longest_wait_ms = reader.stop()
    engine.dispose()
    assert isinstance(outcome, Succeeded)
    assert outcome.response.startswith("118 fields published for company: 3 moved, 1 renamed, 1 removed;")
    return {
        "seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "reader_ms": longest_wait_ms,
    }


def _draft(udefs: Udefs) -> None:
    """Two fields change places, one becomes a text where another one goes, one gets another name."""
    udefs.remove("Text 40")
    udefs.edit("Number 1", indexed=0)
    udefs.edit("Number 60", indexed=1)
    udefs.edit("Number 8", fieldtype=FieldType.SHORT_TEXT)
    udefs.edit("Text 8", fieldlabel="Tekst 8")


def _fill(engine: Engine) -> None:
    with engine.begin() as connection:
        for table, fields in (("small", 110), ("large", 9)):
            columns = [
                _value(kind, place)
                for place, (kind, column) in enumerate(_FIELDS.values())
                if (column in Udefs(engine).owner.large.columns) == (table == "large")
            ]
            assert len(columns) == fields
            connection.execute(
                text(
                    f"INSERT INTO crm7.udcontact{table} SELECT number, {', '.join(columns)} "
                    f"FROM generate_series(1, {RECORDS}) number"
                )
            )
        connection.execute(text("ANALYZE crm7.udcontactsmall, crm7.udcontactlarge"))


def _value(kind: FieldType, place: int) -> str:
    value = {
        FieldType.SHORT_TEXT: "'Verdi ' || number",
        FieldType.LONG_TEXT: "'Ελληνικά ' || number",
        FieldType.DECIMAL: "number / 8.0",
    }.get(kind, "number")
    return f"CASE WHEN (number + {place}) % 2 = 0 THEN {value} END"


class _Reader:
    """Reads a record of the fields that are being published, again and again."""

    def __init__(self, engine: Engine) -> None:
        self._stopped = Event()
        self._longest_ms = 0.0
        self._thread = Thread(target=self._read, args=(engine,))
        self._thread.start()

    def stop(self) -> float:
        self._stopped.set()
        self._thread.join()
        return self._longest_ms

    def _read(self, engine: Engine) -> None:
        query = text("SELECT long01, long60, string40 FROM crm7.udcontactsmall WHERE udcontactsmall_id = 4711")
        while not self._stopped.wait(0.01):
            began_at = time.monotonic()
            with engine.connect() as connection:
                connection.execute(query).one()
            self._longest_ms = max(self._longest_ms, 1000 * (time.monotonic() - began_at))
