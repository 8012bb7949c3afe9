"""Letter case in the compatible API: paths, options and properties are spelled as ours, values stay as they are."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.types import Receive, Scope, Send

from batchtask.http.carrier_body import BatchTaskInfoBody
from batchtask.http.letter_case import QUERY_NAMES, AnyLetterCase, spelled_properties, spelled_query
from batchtask.settings import Settings
from batchtask.web.app import create_app
from producer.rest.batch_agent import CarrierArguments
from producer.rest.crm_agents import ReportArguments

PATHS = ["/api/v1/BatchTask/{key:str}/Stop", "/api/v1/Agents/Batch/GetBatchTaskInfo", "/api/v2/tasks", "/"]


def seen_behind(path: str, query: bytes = b"", root_path: str = "") -> tuple[str, bytes]:
    """Tell which path and query the application sees of a request."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope: Any = {"type": "http", "path": path, "query_string": query, "root_path": root_path}
    nobody: Any = None
    asyncio.run(AnyLetterCase(app, PATHS)(scope, nobody, nobody))
    return seen[0]["path"], seen[0]["query_string"]


@pytest.mark.parametrize(
    ("sent", "root_path", "seen"),
    [
        ("/API/V1/batchtask/5012/STOP", "", "/api/v1/BatchTask/5012/Stop"),
        ("/api/v1/agents/BATCH/getbatchtaskinfo/", "", "/api/v1/Agents/Batch/GetBatchTaskInfo/"),
        ("/api/v1/BatchTask/sTARTED", "", "/api/v1/BatchTask/sTARTED"),
        ("/Crm/Batch/api/v1/batchtask", "/Crm/Batch", "/Crm/Batch/api/v1/BatchTask"),
        ("/Crm/Batch/api/v1/batchtask", "/Crm/Batch/", "/Crm/Batch/api/v1/BatchTask"),
        ("/api/v1/batchtask", "/Crm/Batch", "/api/v1/BatchTask"),
        ("/api/V2/TASKS", "", "/api/V2/TASKS"),
        ("/elsewhere/api/v1/batchtask", "", "/elsewhere/api/v1/batchtask"),
        ("/api/v1", "", "/api/v1"),
    ],
)
def test_paths_of_the_compatible_api_are_spelled_as_its_handlers_do(sent: str, root_path: str, seen: str) -> None:
    assert seen_behind(sent, root_path=root_path)[0] == seen


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (b"$ORDERBY=Name+desc&%24Top=3", b"$orderBy=Name+desc&$top=3"),
        (b"$select=&$top&$skip=", b""),
        (b"$filter=name%20eq%20'$TOP=1'", b"$filter=name%20eq%20'$TOP=1'"),
        (b"top=1&Other=&$nosuch=&&", b"top=1&Other=&$nosuch="),
        (b"\xff%ff=1&$jsonsafe=\xff", b"\xff%ff=1&$jsonSafe=\xff"),
    ],
)
def test_options_are_spelled_as_ours_and_their_values_are_left_alone(sent: bytes, seen: bytes) -> None:
    assert spelled_query(sent) == seen
    assert seen_behind("/api/v1/BatchTask", sent)[1] == seen
    assert seen_behind("/api/v2/tasks", sent)[1] == sent


def test_all_options_of_the_document_are_known() -> None:
    document = create_app(Settings(database_url="postgresql://nobody@127.0.0.1/nothing")).openapi_schema.to_schema()
    options = {
        parameter["name"]
        for path, item in document["paths"].items()
        for operation in item.values()
        for parameter in operation.get("parameters", [])
        if path.startswith("/api/v1/") and parameter["in"] == "query"
    }
    assert options == set(QUERY_NAMES)


def test_properties_are_spelled_on_all_levels_but_within_parameters() -> None:
    sent = {
        "batchtaskinfo": {"NAME": "sleep", "parameterObject": {"NAME": "x", "id": {"Id": 1}}, "nosuch": 1},
        "X": 2,
    }
    assert spelled_properties(sent, CarrierArguments) == {
        "BatchTaskInfo": {"Name": "sleep", "ParameterObject": {"NAME": "x", "id": {"Id": 1}}, "nosuch": 1}, "X": 2,
    }  # fmt: skip
    report = {"reportID": 1, "restrictions": [{"name": "a", "VALUES": ["b"]}, 5, None]}
    assert spelled_properties(report, ReportArguments) == {
        "ReportId": 1, "Restrictions": [{"Name": "a", "Values": ["b"]}, 5, None],
    }  # fmt: skip


@pytest.mark.parametrize("annotation", [CarrierArguments, list[CarrierArguments], str])
def test_nesting_as_deep_as_any_json_is_no_trouble(annotation: Any) -> None:
    deep: Any = {}
    for _ in range(5_000):
        deep = [deep]
    assert spelled_properties(deep, annotation)[0] is deep[0]


def test_of_two_spellings_the_exact_one_counts_else_the_last() -> None:
    assert spelled_properties({"name": "a", "Name": "b", "NAME": "c"}, BatchTaskInfoBody) == {"Name": "b"}
    assert spelled_properties({"name": "a", "NAME": "c"}, BatchTaskInfoBody) == {"Name": "c"}


json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(json_values)
def test_whatever_is_sent_stays_what_it_was_but_for_the_spelling(sent: Any) -> None:
    assert spelled_properties(sent, None) == sent
    wrapped = {"BatchTaskInfo": {"ParameterObject": sent}}
    assert spelled_properties(wrapped, CarrierArguments) == wrapped


@given(
    st.dictionaries(st.sampled_from([f.encode_name for f in msgspec.structs.fields(BatchTaskInfoBody)]), st.text())
)
def test_a_carrier_spelled_exactly_is_left_as_it_is(sent: dict[str, str]) -> None:
    assert spelled_properties(sent, BatchTaskInfoBody) == sent
    assert spelled_properties({name.swapcase(): text for name, text in sent.items()}, BatchTaskInfoBody) == sent
