"""What a caller is told of errors that no handler meant."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import pytest
from litestar import Litestar, get
from litestar.params import QueryParameter
from litestar.testing import TestClient
from sqlalchemy.exc import DataError

from batchtask.errors import StoreUnavailable
from batchtask.http.problem_handlers import EXCEPTION_HANDLERS

ERRORS: dict[str, Exception] = {
    "data": DataError("SELECT %(x)s", {"x": "a\0"}, ValueError("cannot contain NUL")),
    "store": StoreUnavailable("connection to 10.0.0.7 failed: password of user app"),
    "other": KeyError("secret"),
}


@get("/", sync_to_thread=False)
def failing(error: Annotated[str, QueryParameter(name="$error", max_length=5)]) -> None:
    raise ERRORS[error]


def answer(error: str) -> Any:
    app = Litestar([failing], exception_handlers=EXCEPTION_HANDLERS, logging_config=None, openapi_config=None)
    with TestClient(app) as client:
        return client.get("/", params={"$error": error})


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        ("data", 400, "a value of this request is none that the database can hold: leave out NUL"),
        ("store", 503, "The batch task server cannot do this at the moment; try again in a minute"),
        ("other", 500, "Something failed here that is not your fault; tell an administrator the reference"),
        ("too long", 400, "query $error: Expected `str` of length <= 5"),
    ],
)
def test_every_error_is_a_problem_that_tells_no_secret(
    error: str, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        seen = answer(error)
    assert seen.status_code == status, seen.text
    assert seen.headers["content-type"] == "application/problem+json"
    assert seen.json()["detail"].startswith(said)
    for secret in ("password", "secret", "SELECT"):
        assert secret not in seen.text
    assert bool(caplog.records) == (error != "too long")
