"""Publishing while others read, edit records, publish, or keep something locked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from batchtask.database import make_engine
from batchtask.definitions import CancelledByRequest, TaskFailure
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext, run_task
from batchtask.udef import OwnerName
from batchtask.udef.fields import FieldType
from tests.polling import eventually
from tests.udef_support import LIVE, Udefs, holding, publishing, waiting, with_defaults
from worker.tasks.publish_udef import publish_udef, run


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url, pool_size=20)
    yield engine
    engine.dispose()


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Future[str]]]:
    """Publishes an owner's draft in a thread of its own."""

    def publish(owner: OwnerName, context: FakeContext | None) -> str:
        outcome = run_task(publish_udef, context or publishing(database_url, tmp_path), owner=owner)
        assert isinstance(outcome, Succeeded)
        return outcome.response

    with ThreadPoolExecutor() as pool:
        yield lambda owner="contact", context=None: pool.submit(publish, owner, context)


def drafted(engine: Engine, owner: OwnerName = "contact", records: int = 50) -> Udefs:
    """Fields of which two change places in a draft, with the start flag set."""
    udefs = Udefs(engine, owner)
    udefs.define({**LIVE, "Other": (FieldType.NUMBER, "long05")})
    udefs.fill([{"Points": number, "Other": -number, "Group": str(number)} for number in range(records)])
    udefs.edit("Points", indexed=0)
    udefs.edit("Other", indexed=1)
    udefs.start()
    return udefs


def test_a_record_that_is_being_saved_meanwhile_is_moved_as_it_was_saved(
    engine: Engine, start: Callable[..., Future[str]]
) -> None:
    udefs = drafted(engine)
    with holding(engine, "UPDATE crm7.udcontactsmall SET long01 = 4711 WHERE udcontactsmall_id = 7"):
        done = start()
        eventually(lambda: waiting(engine))
    done.result()
    assert udefs.seen()[6]["Points"] == 4711


@pytest.mark.parametrize("isolation", ["read\\ committed", "serializable"])
def test_a_record_that_is_added_meanwhile_is_moved_too_whatever_the_database_has_as_its_default(
    engine: Engine, start: Callable[..., Future[str]], database_url: str, tmp_path: Path, isolation: str
) -> None:
    database_url = with_defaults(database_url, default_transaction_isolation=isolation)
    udefs = drafted(engine)
    new = "INSERT INTO crm7.udcontactsmall (udcontactsmall_id, long01, long05) VALUES (900, 1, 2)"
    with holding(engine, new):
        done = start(context=publishing(database_url, tmp_path))
        eventually(lambda: waiting(engine))
    done.result()
    assert udefs.columns()["Points"] == "long05"
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT long05, long01 FROM crm7.udcontactsmall WHERE udcontactsmall_id = 900")
        )
        assert tuple(found.one()) == (1, 2)


def test_whoever_locks_a_record_for_ever_makes_publishing_give_up_in_one_sentence(
    engine: Engine, start: Callable[..., Future[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PATIENCE_SECONDS", 0.0)
    udefs = drafted(engine)
    before = udefs.dump()
    with (
        holding(engine, "SELECT 1 FROM crm7.udcontactsmall WHERE udcontactsmall_id = 7 FOR UPDATE"),
        pytest.raises(TaskFailure, match="Somebody has been saving values of company for 0 s: wait until"),
    ):
        start().result()
    assert udefs.dump() == before


def test_a_limit_that_the_database_sets_to_statements_does_not_end_the_task(
    engine: Engine, start: Callable[..., Future[str]], database_url: str, tmp_path: Path
) -> None:
    drafted(engine)
    limits = with_defaults(database_url, statement_timeout="1500", lock_timeout="1500")
    with holding(engine, "SELECT pg_advisory_xact_lock(7243, 7)"):
        done = start(context=publishing(limits, tmp_path))
        eventually(lambda: waiting(engine, seconds=2))
    assert done.result().startswith("5 fields published")


def test_a_stop_is_heard_while_waiting_for_somebody_who_saves(
    engine: Engine, start: Callable[..., Future[str]], database_url: str, tmp_path: Path
) -> None:
    udefs = drafted(engine)
    context = publishing(database_url, tmp_path)
    before = udefs.dump()
    with holding(engine, "UPDATE crm7.udcontactsmall SET long01 = long01"):
        done = start(context=context)
        eventually(lambda: waiting(engine))
        context.cancel_after = 0
        with pytest.raises(CancelledByRequest):
            done.result(timeout=60)
    assert context.reports[-1][1] == "Waiting for whoever is saving values of company"
    assert udefs.dump() == before


def test_readers_see_all_old_or_all_new_and_never_wait(engine: Engine, start: Callable[..., Future[str]]) -> None:
    udefs = drafted(engine, records=2000)
    whole = [{"Points": number, "Other": -number} for number in range(2000)]

    def seen() -> list[dict[str, object]]:
        return [{name: record[name] for name in ("Points", "Other")} for record in udefs.seen()]

    done, readings = start(), 0
    while not done.done():
        assert seen() == whole
        readings += 1
    done.result()
    assert seen() == whole
    assert readings > 1
    assert udefs.columns()["Points"] == "long05"


def test_of_two_publishing_one_owner_at_once_one_does_and_the_other_is_told(
    engine: Engine, start: Callable[..., Future[str]]
) -> None:
    drafted(engine)
    attempts = [start(), start()]
    errors = [attempt.exception() for attempt in attempts]
    assert sorted(error is None for error in errors) == [False, True]
    assert "is another task's already" in str(next(filter(None, errors)))


def test_two_owners_are_published_at_once(engine: Engine, start: Callable[..., Future[str]]) -> None:
    company, person = drafted(engine), drafted(engine, "person")
    with holding(engine, "UPDATE crm7.udcontactsmall SET long01 = long01"):
        waits = start("contact")
        eventually(lambda: waiting(engine))
        start("person").result(timeout=60)  # does not wait for the other
        assert not waits.done()
    waits.result()
    assert company.columns()["Points"] == person.columns()["Points"] == "long05"


def test_a_draft_row_that_a_stranger_is_changing_is_published_as_changed(
    engine: Engine, start: Callable[..., Future[str]]
) -> None:
    udefs = drafted(engine)
    with holding(engine, "UPDATE crm7.udeffield SET fieldlabel = 'Poeng' WHERE version = 2 AND taborder = 1"):
        done = start()
        eventually(lambda: waiting(engine))
    assert "1 renamed" in done.result()
    assert udefs.seen()[3]["Poeng"] == 3
