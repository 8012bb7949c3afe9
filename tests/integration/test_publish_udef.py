from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from batchtask.database import make_engine
from batchtask.definitions import CancelledByRequest, TaskFailure
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext, run_task
from batchtask.udef.fields import FieldType
from batchtask.udef.publishing import is_publishing
from tests.udef_support import LIVE, Udefs, publishing
from worker.tasks.publish_udef import publish_udef

RECORDS = [
    {"Points": 10, "Group": "Gold", "Share": 1.5, "Notes": "Ελληνικά"},
    {"Points": 0, "Group": "Sølv", "Share": None, "Notes": None},
    {"Points": None, "Group": "", "Share": -0.25, "Notes": "北京"},
]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def udefs(engine: Engine) -> Udefs:
    udefs = Udefs(engine)
    udefs.define(LIVE)
    udefs.fill(RECORDS)
    return udefs


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> FakeContext:
    return publishing(database_url, tmp_path)


def publish(context: FakeContext, **parameters: object) -> str:
    outcome = run_task(publish_udef, context, **{"owner": "contact", **parameters})
    assert isinstance(outcome, Succeeded)
    return outcome.response


def refusal(context: FakeContext, **parameters: object) -> str:
    with pytest.raises(TaskFailure) as failure:
        publish(context, **parameters)
    return str(failure.value)


def test_fields_are_added_moved_renamed_and_removed_and_no_value_is_lost(udefs: Udefs, context: FakeContext) -> None:
    udefs.add("Contract until", FieldType.DATE)
    udefs.edit("Points", fieldtype=FieldType.SHORT_TEXT, indexed=0)
    udefs.edit("Group", fieldlabel="Kundegruppe")
    udefs.remove("Share")
    udefs.start()

    answer = publish(context)

    assert answer == (
        "4 fields published for company: 1 added, 1 moved, 1 renamed, 1 removed; 6 values kept, 2 set aside."
    )
    assert udefs.columns() == {
        "Points": "string06", "Kundegruppe": "string05", "Notes": "string45", "Contract until": "long05",
    }  # fmt: skip
    assert udefs.seen() == [
        {"Points": "10", "Kundegruppe": "Gold", "Notes": "Ελληνικά", "Contract until": None},
        {"Points": "0", "Kundegruppe": "Sølv", "Notes": None, "Contract until": None},
        {"Points": None, "Kundegruppe": "", "Notes": "北京", "Contract until": None},
    ]
