"""The compatible list over a real database: filters find what they say, pages follow one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar, asgi
from litestar.testing import TestClient
from litestar.types import Receive, Scope, Send
from sqlalchemy import Engine, insert, text

from batchtask.database import make_engine
from batchtask.definition_rows import definition_id
from batchtask.http.callers import Caller
from batchtask.http.carrier import bare_name
from batchtask.http.problems import BadRequest
from batchtask.identifiers import new_task_id
from batchtask.tables import batchtask
from projections.rest.odata.columns import COLUMNS
from projections.rest.odata.lists import ListQuery, read_page
from projections.rest.odata.operators import Asked
from projections.rest.odata.parser import parse_filter
from projections.rest.odata.syntax import Condition, During, Either, Every, Holds, Like, Not, OneOf, Within
from tests.web_support import KARI, OLA, calling, running_app

ADMIN = Caller(associate_id=9, name="admin", administrator=True)
OSLO = ZoneInfo("Europe/Oslo")
Row = dict[str, Any]  #: column of the list → value; times are aware

TEXTS = ["", "Autumn letter", "100 %", "a_b", "O'Brien", "back\\slash", "MAIL", "mail and more"]
TIMES = [
    datetime(2026, 3, 29, 0, 30, tzinfo=UTC),  # before clocks change in Oslo
    datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
    datetime(2026, 10, 24, 22, 0, tzinfo=UTC),  # midnight there
    datetime(2026, 10, 25, 22, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 10, 25, 23, 0, tzinfo=UTC),  # the next midnight, 25 hours later
    datetime(2026, 12, 31, 23, 30, tzinfo=UTC),
]


def made_rows() -> Iterator[Row]:
    """Rows that differ in everything; some have nothing where a column may be empty."""
    for place in range(60):
        empty = place % 7 == 0
        owner = (KARI, OLA, 0)[place % 3]
        yield {
            "id": place + 1,
            "name": ("mail-merge", "report", "mailing_100")[place % 3 - place % 2],
            "associateId": owner,
            "isSystemTask": owner == 0,
            "isInternalTask": False,
            "detailsTable": 0 if empty else place % 4 * 100,
            "detailsRecord": 0 if empty else place * 1_000_003,
            "startCount": 0 if empty else place % 5,
            "progressPercent": 0 if empty else place % 101,
            "state": 1 + place % 6,
            "databaseSerialNumber": TEXTS[place % 4],
            "description": TEXTS[place % 8],
            "request": "" if empty else TEXTS[(place + 1) % 8],
            "response": "" if empty else TEXTS[(place + 2) % 8],
            "progressDescription": "" if empty else TEXTS[(place + 3) % 8],
            "fileName": "" if empty else TEXTS[(place + 4) % 8],
            "created": TIMES[place % 6] + timedelta(days=place // 20),
            "lastStarted": None if empty else TIMES[(place + 1) % 6],
        }


ROWS = list(made_rows())


@pytest.fixture(scope="module")
def engine(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[Engine]:
    with databases() as url:
        engine = make_engine(url)
        with engine.begin() as connection:
            ids = {name: definition_id(connection, name) for name in {row["name"] for row in ROWS}}
            connection.execute(insert(batchtask), [stored(row, ids) for row in ROWS])
        yield engine
        engine.dispose()


def stored(row: Row, definition_ids: dict[str, int]) -> dict[str, Any]:
    """A row as the table has it: nothing is null there, unless it may be."""
    columns = ("detailsTable", "detailsRecord", "startCount", "progressPercent", "request", "response", "fileName")
    filled = {name.lower(): row[name] or None for name in (*columns, "progressDescription")}
    started = row["lastStarted"]
    return filled | {
        "batchtask_id": row["id"],
        "batchtaskdefinition_id": definition_ids[row["name"]],
        "registered_associate_id": row["associateId"],
        "state": row["state"],
        "dbtag": row["databaseSerialNumber"],
        "description": row["description"],
        "registered": row["created"],
        "laststarted": started.replace(tzinfo=None) if started else None,  # the database's zone is UTC here
        "updated": row["created"],
        "updated_associate_id": 0,
        "updatedcount": 0,
        "task_id": new_task_id(),
        "version": 0,
    }


@pytest.fixture(scope="module")
def client(virtual_hosts: Callable[[], AbstractContextManager[str]], engine: Engine) -> Iterator[TestClient[Any]]:
    url = engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    with virtual_hosts() as amqp_url, running_app(amqp_url, url) as client:
        yield client


def holds(condition: Condition, row: Row) -> bool:
    """Tell in Python what the SQL of a condition should tell."""
    match condition:
        case Every(parts):
            return all(holds(part, row) for part in parts)
        case Either(parts):
            return any(holds(part, row) for part in parts)
        case Not(part):
            return not holds(part, row)
        case OneOf(column, numbers):
            return row[column] in numbers
        case Within(column, first, last):
            return (first is None or row[column] >= first) and (last is None or row[column] <= last)
        case Like("name", wanted, begins, ends):
            return like(bare_name(row["name"]), bare_name(wanted), begins=begins, ends=ends)
        case Like(column, wanted, begins, ends):
            return like(row[column].lower(), wanted.lower(), begins=begins, ends=ends)
        case During(column, start, end):
            time = row[column]
            return time is not None and (start is None or time >= start) and (end is None or time < end)
        case Holds(column):
            return bool(row[column])
        case _:
            assert_never(condition)


def like(text: str, wanted: str, *, begins: bool, ends: bool) -> bool:
    if begins and ends:
        return wanted in text
    if begins:
        return text.startswith(wanted)
    return text.endswith(wanted) if ends else text == wanted


def found(engine: Engine, wanted: str) -> list[int]:
    infos, more = read_page(engine, ADMIN, ListQuery(filter=wanted, top=1000), OSLO)
    assert not more
    return sorted(info.id or 0 for info in infos)


def expected(wanted: str) -> list[int]:
    condition = parse_filter(wanted, Asked(associate_id=ADMIN.associate_id, now=datetime.now(OSLO)))
    return [row["id"] for row in ROWS if condition is None or holds(condition, row)]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


numbers = st.one_of(st.integers(-5, 110), st.sampled_from([2**31 - 1, -(2**31) + 1, 70_000]))
texts = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(["mail", "a", "%", "_", "\\", "'", " ", "LETTER", "100"]),
    st.text(st.characters(max_codepoint=127, exclude_characters="\0"), max_size=3),
)
days = st.sampled_from(["2026-03-29", "2026-10-25", "2026-10-26", "2027-01-01"])
moments = st.one_of(days, st.sampled_from(["2026-10-25T00:00:00", "2026-03-29T01:00:00Z", "2026-10-25T22:59:59Z"]))
NUMBERS = ["id", "associateId", "detailsTable", "detailsRecord", "startCount", "progressPercent", "state"]
TEXT_COLUMNS = [
    "name", "databaseSerialNumber", "description", "response", "request", "progressDescription", "fileName",
]  # fmt: skip


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    match draw(st.integers(0, 5)):
        case 0:
            operator = draw(st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]))
            column = draw(st.sampled_from(NUMBERS))
            return f"{column} {operator} {draw(st.integers(0, 6) if column == 'state' else numbers)}"
        case 1:
            operator = draw(st.sampled_from(["oneOf", "notOneOf", "set", "between"]))
            values = draw(st.lists(st.integers(0, 60), min_size=2, max_size=2))
            return f"{draw(st.sampled_from(NUMBERS))} {operator} ({values[0]},{values[1]})"
        case 2:
            words = ["is", "isNot", "begins", "notBegins", "contains", "notContains"]
            return f"{draw(st.sampled_from(TEXT_COLUMNS))} {draw(st.sampled_from(words))} {quoted(draw(texts))}"
        case 3:
            function = draw(st.sampled_from(["substringof", "startswith", "endswith"]))
            return f"{function}({draw(st.sampled_from(TEXT_COLUMNS))},{quoted(draw(texts))})"
        case 4:
            operator = draw(st.sampled_from(["date", "before", "after", "ne", "le", "ge"]))
            return f"{draw(st.sampled_from(['created', 'lastStarted']))} {operator} {draw(moments)}"
        case _:
            return f"{draw(st.sampled_from(['isSystemTask', 'isInternalTask']))} eq {draw(st.sampled_from([0, 1]))}"


filters = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
    ),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=filters)
def test_a_filter_finds_what_it_finds_in_python(engine: Engine, wanted: str) -> None:
    assert found(engine, wanted) == expected(wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        "id = 3", "id equals 3", "id unequals 3", "id less 3", "id greater 58", "id between 3,5", "id set 3,5",
        "state eq Started", "state oneOf ('Failed', New)", "state notOneOf (1,2)", "associateId currentAssociate",
        "associateId associateIsOneOf (7,0)", "associateId associateIsNotOneOf (7,8)", "name eq 'REPORT'",
        "name is 'MailMerge'", "name notBegins 'Mailing1'",
        "name ne 'report'", "name unequals 'report'", "created dateBetween (2026-03-29,2026-10-25)",
        "lastStarted between 2026-10-25,2026-10-25", "created gt 2026-03-29T01:00:00Z", "created lt 2026-10-26",
        "created dateBetween (0001-01-01,9999-12-31)",
        "lastStarted ge 0001-01-01", "created after 9999-12-31T23:59:59.9999999",
        "created beforeToday", "created today", "lastStarted afterToday", "created lastWeek", "created thisWeek",
        "created nextWeek", "created lastMonth", "created thisMonth", "created nextMonth", "created lastQuarter",
        "created thisQuarter", "created nextQuarter", "created thisHalf", "created lastYear", "created thisYear",
        "created nextYear", "this(created,year)", "next(created,13,month)", "previous(created,400,day)",
        "thisAndNext(lastStarted,3,half)", "thisAndPrevious(created,60,week)",
        "thisAndPreviousAndNext(lastStarted,quarter)", "not lastStarted ge 2000-01-01", "",
    ],
)  # fmt: skip
def test_every_operator_finds_what_it_finds_in_python(engine: Engine, wanted: str) -> None:
    assert found(engine, wanted) == expected(wanted)


@pytest.mark.parametrize("column", [name for name in COLUMNS if name in ROWS[0]])
def test_every_column_sorts(engine: Engine, column: str) -> None:
    for falls in (False, True):
        infos, _ = read_page(engine, ADMIN, ListQuery(order=[(column, falls)], top=1000), OSLO)
        values = [ROWS[(info.id or 0) - 1][column] for info in infos]
        if column in {"name", "lastStarted"} or isinstance(values[0], str):
            assert len(values) == len(ROWS)  # in which order texts are, the database's collation says
        else:
            assert values == sorted(values, reverse=falls)


def listed(client: TestClient[Any], who: str = "admin", headers: Any = (), **query: Any) -> Any:
    asked = {f"${name}": value for name, value in query.items()}
    return client.get("/api/v1/BatchTask", params=asked, headers=calling(who) | dict(headers))


def keys(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [row["PrimaryKey"] for row in answer.json()["value"]]


def test_a_user_is_listed_their_own_whatever_they_ask_for(client: TestClient[Any]) -> None:
    own = [row["id"] for row in reversed(ROWS) if row["associateId"] == KARI]
    assert keys(listed(client, "kari")) == own
    assert keys(listed(client, "kari", filter="id ge 0 or associateId associateIsOneOf (0,8)")) == own
    assert keys(listed(client, "kari", filter="isSystemTask eq true")) == []
    assert keys(listed(client)) == [row["id"] for row in reversed(ROWS)]


def test_a_row_has_its_key_and_what_was_selected(client: TestClient[Any]) -> None:
    answer = listed(client, select="ID,name,state", filter="id eq 4", top=20).json()
    assert answer == {
        "odata.metadata": "http://testserver.local/api/v1/BatchTask$metadata",
        "odata.nextLink": None,
        "value": [{"PrimaryKey": 4, "EntityName": "batchtask", "id": 4, "name": ROWS[3]["name"], "state": 4}],
    }
    [whole] = listed(client, filter="id eq 4").json()["value"]
    assert list(whole) == ["PrimaryKey", "EntityName", *COLUMNS]


def test_links_lead_through_all_pages_and_keep_the_question(client: TestClient[Any]) -> None:
    wanted = "name contains 'mail' and not (state eq 3)"
    first = listed(client, "kari", filter=wanted, top=3, select="id", orderBy="created, id")
    seen, pages, answer = keys(first), 1, first
    while link := answer.json()["odata.nextLink"]:
        query = parse_qs(urlsplit(link).query)
        assert query["$filter"] == [wanted]
        assert query["$skip"] == [str(3 * pages)]
        answer = client.get(link, headers=calling("kari"))
        seen, pages = seen + keys(answer), pages + 1
    assert seen == keys(listed(client, "kari", filter=wanted, orderBy="created, id"))
    assert len(seen) == len(set(seen)) > 3


def test_options_are_taken_in_any_letter_case_and_stay_in_the_links(client: TestClient[Any]) -> None:
    answer = client.get("/api/v1/batchtask?$orderby=id&$TOP=2&%24Select=id", headers=calling("admin"))
    assert keys(answer) == [1, 2]
    assert keys(client.get(answer.json()["odata.nextLink"], headers=calling("admin"))) == [3, 4]


def test_links_work_below_the_path_that_another_application_mounts_us_at(client: TestClient[Any]) -> None:
    app = client.app

    @asgi("/crm/batch", is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await app(dict(scope, root_path="/crm/batch"), receive, send)  # type: ignore[arg-type]

    with TestClient(Litestar([mounted], openapi_config=None)) as outside:
        answer = outside.get("/crm/batch/api/v1/BatchTask", params={"$top": 1}, headers=calling("admin"))
        link = answer.json()["odata.nextLink"]
        assert urlsplit(link).path == "/crm/batch/api/v1/BatchTask"
        assert keys(outside.get(link, headers=calling("admin"))) == [59]
        assert keys(outside.get("/crm/batch/API/v1/batchtask?$TOP=1", headers=calling("admin"))) == [60]


def test_modes_say_more_or_less_of_a_value(client: TestClient[Any]) -> None:
    asked = {"select": "state,isSystemTask,lastStarted", "filter": "id eq 1"}
    [slim] = listed(client, **asked).json()["value"]
    [wide] = listed(client, mode="Wide", **asked).json()["value"]
    [full] = listed(client, mode="Full", **asked).json()["value"]
    assert (slim["state"], slim["isSystemTask"]) == (1, False)
    assert wide["state"] == {"DisplayValue": "New", "RawValue": 1}
    assert full["isSystemTask"] == {"DisplayValue": "[I:no]", "RawValue": False, "TooltipHint": "", "LinkHint": ""}
    assert wide["lastStarted"] == {"DisplayValue": "", "RawValue": "0001-01-01T00:00:00.0000000+00:00"}
    [icons] = listed(client, output="Display", **asked).json()["value"]
    assert icons["isSystemTask"] == "[I:no]"
    assert listed(client, jsonSafe="true", **asked).json()["value"] == [slim]  # no name here is unsafe


@pytest.mark.parametrize(
    ("query", "accept", "status", "said"),
    [
        ({}, "application/json", 200, ""),
        ({"format": "JSON"}, "application/xml", 200, ""),
        ({"entities": "batchtask", "options": "x", "context": "y"}, "*/*", 200, ""),
        ({}, "application/xml", 406, "this API answers in JSON only: send `Accept"),
        ({"format": "XML"}, "*/*", 406, "this API answers in JSON only: leave $format out"),
        ({"format": "json", "mode": "wide", "output": "DISPLAY"}, "application/xml", 200, ""),
        ({"format": "CSV"}, "*/*", 400, "$format: 'CSV' is none of JSON, XML"),
        ({"mode": "Thin"}, "*/*", 400, "$mode: 'Thin' is none of Slim, Wide, Full"),
        ({"output": "Nice"}, "*/*", 400, "$output: 'Nice' is none of Logical, Display"),
        ({"top": "", "skip": "", "format": "", "mode": ""}, "*/*", 200, ""),
        ({"top": "-1"}, "*/*", 400, "$top"),
        ({"skip": str(2**31)}, "*/*", 400, "$skip"),
        ({"entities": "person"}, "*/*", 400, "$entities: 'person' is no entity of this list; there is batchtask"),
        ({"select": "Count(id):Footer"}, "*/*", 400, "$select: 'Count(id):Footer' is an aggregation"),
        ({"filter": "id eq x"}, "*/*", 400, "$filter, position 7: expected a whole number"),
        ({"orderBy": "result"}, "*/*", 400, "$orderBy: result is shown"),
    ],
)
def test_parameters_are_taken_or_refused_in_a_sentence(
    client: TestClient[Any], query: dict[str, str], accept: str, status: int, said: str
) -> None:
    answer = listed(client, headers={"Accept": accept}, **query)
    assert answer.status_code == status, answer.text
    assert status == 200 or said in answer.json()["detail"]


def test_a_list_that_takes_too_long_is_refused_in_a_sentence(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.rest.odata.lists.LONGEST_READ_SECONDS", 0.2)
    with engine.connect() as lock:
        lock.execute(text("LOCK TABLE crm7.batchtask IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(BadRequest, match=r"takes longer than 0\.2 seconds; narrow \$filter"):
            read_page(engine, ADMIN, ListQuery(), OSLO)
