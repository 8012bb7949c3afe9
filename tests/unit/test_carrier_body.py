"""What the compatible API takes: names and values in the original's spelling, and states."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask.definitions import Registry, TaskContext, TaskDefinition, task
from batchtask.errors import InvalidParameters, UnknownTask
from batchtask.http.carrier import BatchTaskState
from batchtask.http.carrier_body import BatchTaskInfoBody, find_definition, read_parameters
from batchtask.http.problems import BadRequest


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class Everything(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    selection_id: int = 0
    contact_ids: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()
    options: dict[str, int] = {}
    separate_files: bool = False
    once: bool | None = None
    pace: float = 1.0
    heading: str = ""
    letter_date: date | None = None
    output: Literal["docx", "pdf"] = "docx"


def defined(name: str) -> TaskDefinition:
    @task(name)
    def run(context: TaskContext, parameters: Everything) -> None: ...

    return run


DEFINITION = defined("mail-merge")


@pytest.mark.parametrize(
    ("given_name", "value", "field", "read"),
    [
        ("selection_id", "88", "selection_id", 88),
        ("selectionId", "88", "selection_id", 88),
        ("SelectionId", 88, "selection_id", 88),
        ("SELECTIONID", "88", "selection_id", 88),
        ("selection-id", "88", "selection_id", 88),
        ("contactIds", "[1, 2]", "contact_ids", (1, 2)),
        ("contactIds", [1, "2"], "contact_ids", (1, 2)),
        ("Parts", '[{"name": "a"}]', "parts", (Part("a"),)),
        ("options", '{"a": 1}', "options", {"a": 1}),
        ("separateFiles", "true", "separate_files", True),
        ("separateFiles", "True", "separate_files", True),
        ("separateFiles", "0", "separate_files", False),
        ("once", "null", "once", None),
        ("once", "false", "once", False),
        ("pace", "0.5", "pace", 0.5),
        ("heading", "[1, 2]", "heading", "[1, 2]"),
        ("heading", "88", "heading", "88"),
        ("letterDate", "2031-02-03", "letter_date", date(2031, 2, 3)),
        ("Output", "pdf", "output", "pdf"),
    ],
)
def test_parameters_are_found_in_any_spelling_and_read_from_text(
    given_name: str, value: Any, field: str, read: Any
) -> None:
    parameters = read_parameters(DEFINITION, {given_name: value})
    assert list(parameters) == [field]
    assert getattr(DEFINITION.read_parameters(parameters), field) == read


@pytest.mark.parametrize(
    ("given_name", "value", "names"),
    [
        ("selectionId", "many", "selection_id"),
        ("contactIds", "1, 2", "contact_ids"),
        ("contactIds", "[1,", "contact_ids"),
        ("parts", '[{"title": "a"}]', "title"),
        ("separateFiles", "perhaps", "separate_files"),
        ("color", "red", "color"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_definition(given_name: str, value: str, names: str) -> None:
    with pytest.raises(InvalidParameters, match=names):
        DEFINITION.check_parameters(read_parameters(DEFINITION, {given_name: value}))


def test_a_parameter_in_two_spellings_is_refused() -> None:
    with pytest.raises(BadRequest, match="'selection_id' is there in two spellings"):
        read_parameters(DEFINITION, {"selectionId": "1", "selection_id": "1"})


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.none(), max_size=4))
def test_any_parameters_are_read_or_refused(given_parameters: dict[str, Any]) -> None:
    try:
        read = read_parameters(DEFINITION, given_parameters)
    except BadRequest:
        return
    assert len(read) == len(given_parameters)


@pytest.mark.parametrize("name", ["mail-merge", "MailMerge", "mailmerge", "mail_merge", "MAIL-MERGE"])
def test_a_definition_is_found_in_any_spelling(name: str) -> None:
    assert find_definition(Registry([DEFINITION, defined("report")]), name) is DEFINITION


def test_a_definition_that_is_spelt_exactly_wins_and_else_nobody_guesses() -> None:
    both = Registry([DEFINITION, other := defined("mailmerge")])
    assert find_definition(both, "mail-merge") is DEFINITION
    assert find_definition(both, "mailmerge") is other
    with pytest.raises(BadRequest, match="may be any of mail-merge, mailmerge; send one of these"):
        find_definition(both, "MailMerge")


def test_an_unknown_definition_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownTask, match="installed tasks: mail-merge"):
        find_definition(Registry([DEFINITION]), "MailMerger")


@pytest.mark.parametrize(
    ("sent", "state"),
    [
        (None, None),
        ("", None),
        ("Unknown", None),
        (0, None),
        ("Failed", BatchTaskState.Failed),
        ("succeededmanualcleanup", BatchTaskState.SucceededManualCleanup),
        (5, BatchTaskState.Failed),
        ("5", BatchTaskState.Failed),
        ("0", None),
        (99999, BatchTaskState.All),
    ],
)
def test_a_state_is_read_by_name_or_number_and_what_clients_send_unasked_is_none(
    sent: str | int | None, state: BatchTaskState | None
) -> None:
    assert BatchTaskInfoBody(state=sent).wanted_state() is state


@pytest.mark.parametrize("sent", ["Stopped", 7, -1])
def test_no_other_state_is_known(sent: str | int) -> None:
    with pytest.raises(BadRequest, match=f"'{sent}' is no state of a batch task; there are Unknown, New, Aquired"):
        BatchTaskInfoBody(state=sent).wanted_state()


def test_members_that_are_the_servers_business_are_ignored_whatever_they_hold() -> None:
    body = b'{"Name": "MailMerge", "Created": 5, "StartCount": "x", "TableRight": [], "FieldProperties": 1}'
    assert msgspec.json.decode(body, type=BatchTaskInfoBody) == BatchTaskInfoBody(name="MailMerge")
