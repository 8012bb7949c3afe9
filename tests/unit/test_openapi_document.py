"""The OpenAPI document says of every operation what it is, who may call it, and how it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchtask.settings import Settings
from batchtask.web.app import create_app

DOCUMENT: dict[str, Any] = create_app(
    Settings(database_url="postgresql://nobody@127.0.0.1/nothing")
).openapi_schema.to_schema()
WEB_API = (Path(__file__).resolve().parents[2] / "docs" / "web-api.md").read_text()
REST_API = (Path(__file__).resolve().parents[2] / "docs" / "rest-api.md").read_text()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


OPERATIONS = list(operations())


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=lambda value: str(value)[:50])
def test_every_operation_is_described(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation.get("tags"), "say what it belongs to"
    assert (operation.get("description") or operation.get("summary") or "").endswith("."), "say what it does"
    assert re.fullmatch(r"v[12]_\w+", operation["operationId"])
    for parameter in operation.get("parameters", []):
        assert parameter.get("description") or parameter["name"] in {"name", "owner", "state"}, parameter["name"]


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=lambda value: str(value)[:50])
def test_every_refusal_is_a_problem(path: str, method: str, operation: dict[str, Any]) -> None:
    refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
    assert {"400", "401", "403", "404", "406", "503"} <= set(refusals)
    for status, answer in refusals.items():
        assert list(answer["content"]) == ["application/problem+json"], status
        assert answer["description"].endswith(".")


@pytest.mark.parametrize("path", [path for path in DOCUMENT["paths"] if path.startswith("/api/v2/")])
def test_every_path_of_the_modern_api_stands_on_its_page(path: str) -> None:
    example = re.sub(r"\\{\w+\\}", r"[^/\\s]+", re.escape(path.removeprefix("/api/v2")))
    assert re.search(rf"\$api{example}[\"?]", WEB_API), path


def test_the_compatible_api_refuses_bodies_that_are_no_json_and_says_so() -> None:
    for path, method, operation in OPERATIONS:
        takes_a_body = path.startswith("/api/v1/") and method != "get"
        assert ("415" in operation["responses"]) == takes_a_body, (path, method)


def test_no_two_operations_have_one_name() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_all_ways_to_prove_who_one_is_are_named() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {
        "basic": "http", "bearer": "http", "session": "apiKey", "xsrf": "apiKey",
    }  # fmt: skip
    assert DOCUMENT["security"] == [{"basic": []}, {"bearer": []}, {"session": [], "xsrf": []}]


def test_the_carrier_is_spelt_as_the_original_does() -> None:
    carrier = next(schema for name, schema in DOCUMENT["components"]["schemas"].items() if "BatchTaskInfo" in name)
    assert set(carrier["properties"]) >= {"Id", "ParameterObject", "ProgressPercent", "CancellationBehaviour"}


def test_the_calls_that_the_page_of_documentation_names_are_there() -> None:
    calls = re.findall(r"`(?:POST /api/v1/Agents/Batch/|…/)(Get\w+)`", REST_API)
    assert len(set(calls)) == 10
    for call in calls:
        assert f"/api/v1/Agents/Batch/{call}" in DOCUMENT["paths"]
