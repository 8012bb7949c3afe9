"""Which callers are answered in JSON, by what they say they accept."""

from __future__ import annotations

import pytest

from batchtask.http.negotiation import accepts_json, prefers_html


@pytest.mark.parametrize(
    "accept",
    [
        "", " ", ",,", "*/*", "*", "application/json", "APPLICATION/JSON; charset=utf-8", "text/json", "text/*",
        "application/*;q=0.1", "application/merge-patch+json", "application/xml, application/json;q=0.1",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/javascript, */*; q=0.01",
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "text/json;q=0, application/json",
        "*/*;q=0, text/json",
    ],
)  # fmt: skip
def test_whoever_takes_json_somehow_is_answered(accept: str) -> None:
    assert accepts_json(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "application/xml", "text/xml", "text/html", "image/png", "nonsense", "application/json;q=0",
        "application/json;q=0, */*", "application/xml, */*;q=0", "*;q=0", "application/json;q=x",
    ],
)  # fmt: skip
def test_whoever_takes_none_is_refused(accept: str) -> None:
    assert not accepts_json(accept)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", True),
        ("text/html", True),
        ("TEXT/HTML, application/json;q=0.9", True),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("text/html, application/json", False),
        ("text/html;q=0.5, application/problem+json", False),
        ("text/html;q=0, image/png", False),
        ("text/html;q=x", False),
    ],
)
def test_a_page_is_wanted_only_where_html_is_named_before_json(accept: str, expected: bool) -> None:
    assert prefers_html(accept) is expected
