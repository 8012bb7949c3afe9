"""Drafts of user-defined fields: copies of the live version that others cannot edit while they are published."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest
from sqlalchemy import Engine, text

from batchtask.database import make_engine
from batchtask.identifiers import new_task_id
from batchtask.udef.drafts import has_unpublished_changes, open_draft, revert
from batchtask.udef.fields import FieldType, load_fields
from batchtask.udef.publishing import (
    PublishingActive,
    is_any_publishing,
    is_publishing,
    start_publishing,
    submitting,
)
from batchtask.udef.versions import Versions, read_versions
from tests.polling import eventually
from tests.udef_support import BY, LIVE, Udefs, waiting


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def udefs(engine: Engine) -> Udefs:
    udefs = Udefs(engine)
    udefs.define(LIVE)
    return udefs


def versions(udefs: Udefs) -> Versions:
    with udefs.engine.connect() as connection:
        return read_versions(connection, udefs.owner)


def test_a_draft_is_a_copy_of_the_live_version_that_remembers_where_each_field_comes_from(udefs: Udefs) -> None:
    with udefs.engine.begin() as connection:
        draft = open_draft(connection, udefs.owner, BY)
        live_fields = load_fields(connection, udefs.owner, 1)
        fields = load_fields(connection, udefs.owner, draft)
    assert (draft, versions(udefs)) == (2, Versions(live=1, draft=2))
    assert [field.last_id for field in fields] == [field.id for field in live_fields]
    assert [(f.label, f.type, f.column, f.identity, f.is_indexed) for f in fields] == [
        (f.label, f.type, f.column, f.identity, f.is_indexed) for f in live_fields
    ]


def test_a_draft_is_made_once(udefs: Udefs) -> None:
    udefs.edit("Points", fieldlabel="Poeng")
    udefs.edit("Group", fieldlabel="Gruppe")
    with udefs.engine.connect() as connection:
        assert has_unpublished_changes(connection, udefs.owner)
        labels = [field.label for field in load_fields(connection, udefs.owner, 2)]
    assert labels == ["Poeng", "Gruppe", "Share", "Notes"]


def test_the_first_draft_of_an_owner_without_fields_is_empty(engine: Engine) -> None:
    udefs = Udefs(engine, "document")
    udefs.add("First", FieldType.NUMBER)
    assert versions(udefs) == Versions(live=0, draft=1)


def test_reverting_drops_the_draft_and_only_that(udefs: Udefs) -> None:
    before = udefs.dump()
    udefs.add("New", FieldType.NUMBER)
    udefs.remove("Points")
    with udefs.engine.begin() as connection:
        assert revert(connection, udefs.owner, BY) == 4
        assert revert(connection, udefs.owner, BY) == 0
    assert udefs.dump() == before


def test_nobody_edits_or_reverts_a_draft_while_it_is_published(udefs: Udefs) -> None:
    udefs.edit("Points", fieldlabel="Poeng")
    udefs.start()
    for act in (open_draft, revert):
        with (
            udefs.engine.begin() as connection,
            pytest.raises(PublishingActive, match="fields of company are being published: wait"),
        ):
            act(connection, udefs.owner, BY)
    Udefs(udefs.engine, "person").add("New", FieldType.NUMBER)  # others go on


def test_starting_waits_for_whoever_is_editing_so_that_the_edit_is_published_too(udefs: Udefs) -> None:
    starter = Thread(target=udefs.start)
    with udefs.engine.begin() as connection:
        open_draft(connection, udefs.owner, BY)
        starter.start()
        eventually(lambda: waiting(udefs.engine))
        connection.execute(text("UPDATE crm7.udeffield SET fieldlabel = 'Poeng' WHERE version = 2 AND taborder = 1"))
    starter.join()
    with udefs.engine.connect() as connection:
        assert is_publishing(connection, udefs.owner)


def test_the_flag_is_each_owners_own_and_one_tasks(udefs: Udefs) -> None:
    udefs.start()
    udefs.start()
    with udefs.engine.begin() as connection:
        person = Udefs(udefs.engine, "person").owner
        assert is_publishing(connection, udefs.owner)
        assert is_any_publishing(connection)
        assert not is_publishing(connection, person)
        assert submitting(connection, udefs.owner, new_task_id())
        assert not submitting(connection, udefs.owner, new_task_id())
        assert not submitting(connection, person, new_task_id())
        with pytest.raises(PublishingActive):
            start_publishing(connection, udefs.owner, BY)
