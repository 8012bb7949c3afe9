"""The filter language: what is read from which words, and what is said of those that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask.http.problems import BadRequest
from projections.rest.odata.columns import COLUMNS, Kind, read_columns, read_order
from projections.rest.odata.functions import FUNCTIONS
from projections.rest.odata.operators import OPERATORS, Asked
from projections.rest.odata.parser import DEEPEST, parse_filter
from projections.rest.odata.syntax import Condition, During, Either, Every, Holds, Like, Not, OneOf, Within
from projections.rest.odata.tokens import LONGEST_FILTER

OSLO = ZoneInfo("Europe/Oslo")
#: A Wednesday, in the second half of its month, quarter and half.
NOW = datetime(2026, 11, 25, 10, 30, tzinfo=OSLO)


def parsed(text: str, now: datetime = NOW) -> Condition | None:
    return parse_filter(text, Asked(associate_id=7, now=now))


def refusal(text: str) -> str:
    with pytest.raises(BadRequest) as refused:
        parsed(text)
    return refused.value.detail


def oslo(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=OSLO).astimezone(UTC)  # type: ignore[arg-type, misc]


A, B, C = OneOf("id", (1,)), OneOf("id", (2,)), OneOf("id", (3,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("  ", None),
        ("id eq 1", A),
        ("ID = 1", A),
        ("id=1", A),
        ("id equals 1 or id EQ 2 and id eq 3", Either((A, Every((B, C))))),
        ("(id eq 1 or id eq 2) and id eq 3", Every((Either((A, B)), C))),
        ("not id eq 1 and id eq 2", Every((Not(A), B))),
        ("not (id eq 1 and not id eq 2)", Not(Every((A, Not(B))))),
        ("((id eq 1))", A),
    ],
)
def test_conditions_are_joined_as_in_every_language(text: str, expected: Condition | None) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id ne 1", Not(A)),
        ("id unequals 1", Not(A)),
        ("id lt 5", Not(Within("id", first=5))),
        ("id less 5", Not(Within("id", first=5))),
        ("id le 5", Within("id", last=5)),
        ("id gt 5", Not(Within("id", last=5))),
        ("id greater -5", Not(Within("id", last=-5))),
        ("id ge 5", Within("id", first=5)),
        ("id between (1, 5)", Within("id", 1, 5)),
        ("id between 1,5", Within("id", 1, 5)),
        ("id set (1,2)", OneOf("id", (1, 2))),
        ("id oneOf 1,2", OneOf("id", (1, 2))),
        ("id notOneOf ('1',2)", Not(OneOf("id", (1, 2)))),
        ("state eq 3", OneOf("state", (3,))),
        ("state eq Started", OneOf("state", (3,))),
        ("state oneOf ('Aquired', failed, 1)", OneOf("state", (2, 5, 1))),
        ("associateId currentAssociate", OneOf("associateId", (7,))),
        ("associateId associateIsOneOf (7,0)", OneOf("associateId", (7, 0))),
        ("associateId associateIsNotOneOf (7)", Not(OneOf("associateId", (7,)))),
        ("isSystemTask eq true", Holds("isSystemTask")),
        ("isSystemTask is false", Not(Holds("isSystemTask"))),
        ("isSystemTask ne 0", Not(Not(Holds("isSystemTask")))),
    ],
)
def test_numbers_states_associates_and_truth(text: str, expected: Condition) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name is 'a'", Like("name", "a")),
        ("name eq 'O''Brien'", Like("name", "O'Brien")),
        ("name = ''", Like("name", "")),
        ("name equals ''''", Like("name", "'")),
        ("name isNot 'a'", Not(Like("name", "a"))),
        ("name begins 'a'", Like("name", "a", begins=True)),
        ("name notBegins 'a'", Not(Like("name", "a", begins=True))),
        ("description contains ' and '", Like("description", " and ", begins=True, ends=True)),
        ("description notContains '%'", Not(Like("description", "%", begins=True, ends=True))),
        ("substringof('a', name)", Like("name", "a", begins=True, ends=True)),
        ("substringof(name, 'a')", Like("name", "a", begins=True, ends=True)),
        ("startswith(name,'a')", Like("name", "a", begins=True)),
        ("endsWith(name,'a') eq true", Like("name", "a", ends=True)),
        ("endswith(name,'a') = false", Not(Like("name", "a", ends=True))),
    ],
)
def test_texts(text: str, expected: Condition) -> None:
    assert parsed(text) == expected


DAY = (oslo(2026, 11, 25), oslo(2026, 11, 26))


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("today", *DAY),
        ("beforeToday", None, DAY[0]),
        ("afterToday", DAY[1], None),
        ("thisWeek", oslo(2026, 11, 23), oslo(2026, 11, 30)),
        ("lastWeek", oslo(2026, 11, 16), oslo(2026, 11, 23)),
        ("nextWeek", oslo(2026, 11, 30), oslo(2026, 12, 7)),
        ("lastMonth", oslo(2026, 10, 1), oslo(2026, 11, 1)),
        ("nextMonth", oslo(2026, 12, 1), oslo(2027, 1, 1)),
        ("thisQuarter", oslo(2026, 10, 1), oslo(2027, 1, 1)),
        ("nextQuarter", oslo(2027, 1, 1), oslo(2027, 4, 1)),
        ("thisHalf", oslo(2026, 7, 1), oslo(2027, 1, 1)),
        ("thisYear", oslo(2026, 1, 1), oslo(2027, 1, 1)),
        ("date 2026-03-29", oslo(2026, 3, 29), oslo(2026, 3, 30)),  # has 23 hours
        ("before '2026-10-25'", None, oslo(2026, 10, 25)),
        ("after 2026-10-25", oslo(2026, 10, 26), None),  # had 25 hours
        ("ge 2026-10-25", oslo(2026, 10, 25), None),
        ("le 2026-10-25", None, oslo(2026, 10, 26)),
        ("gt 2026-10-25T02:30:00Z", datetime(2026, 10, 25, 2, 30, 0, 1, UTC), None),
        ("lt '2026-01-02T03:04:05+05:30'", None, datetime(2026, 1, 1, 21, 34, 5, tzinfo=UTC)),
        ("ge 2026-07-01T00:00:00", oslo(2026, 7, 1), None),
        ("dateBetween (2026-01-01,2026-01-31)", oslo(2026, 1, 1), oslo(2026, 2, 1)),
        # The first and the last time of .NET, whose programs say "no limit" so.
        ("dateBetween (0001-01-01,9999-12-31)", datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
        ("le 9999-12-31T23:59:59.9999999Z", None, datetime.max.replace(tzinfo=UTC)),
        ("ge '0001-01-01T00:00:00.0000000+01:00'", datetime.min.replace(tzinfo=UTC), None),
        ("between '2026-01-01','2026-01-01'", oslo(2026, 1, 1), oslo(2026, 1, 2)),
    ],
)
def test_dates(words: str, start: datetime | None, end: datetime | None) -> None:
    assert parsed(f"created {words}") == During("created", start, end)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("this(created,day)", *DAY),
        ("this(created,'Months')", oslo(2026, 11, 1), oslo(2026, 12, 1)),
        ("next(created,2,week)", oslo(2026, 11, 30), oslo(2026, 12, 14)),
        ("previous(created,3,day)", oslo(2026, 11, 22), DAY[0]),
        ("thisAndNext(created,1,quarter)", oslo(2026, 10, 1), oslo(2027, 4, 1)),
        ("thisAndPrevious(created,1,half)", oslo(2026, 1, 1), oslo(2027, 1, 1)),
        ("thisAndPreviousAndNext(created,year)", oslo(2025, 1, 1), oslo(2028, 1, 1)),
    ],
)
def test_functions_of_dates(text: str, start: datetime, end: datetime) -> None:
    assert parsed(text) == During("created", start, end)


@pytest.mark.parametrize(
    ("now", "hours"),
    [((2026, 3, 29, 12), 23), ((2026, 3, 29, 1), 23), ((2026, 10, 25, 2, 30), 25), ((2026, 10, 26, 0), 24)],
)
def test_a_day_lasts_as_long_as_it_does_when_clocks_change(now: tuple[int, ...], hours: int) -> None:
    today = parsed("created today", datetime(*now, tzinfo=OSLO))  # type: ignore[arg-type, misc]
    assert isinstance(today, During)
    assert today.start is not None
    assert today.end is not None
    assert today.end - today.start == timedelta(hours=hours)


def test_a_midnight_that_clocks_skip_is_the_moment_they_do() -> None:
    beirut = ZoneInfo("Asia/Beirut")  # on 29 March 2026, 0:00 became 1:00
    today = parsed("created today", datetime(2026, 3, 29, 12, tzinfo=beirut))
    assert today == During("created", datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 29, 21, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nme eq 1", "$filter, position 1: expected a column, found 'nme'; there are id, name,"),
        ("id", "position 3: the end is no operator for id, which takes eq, =,"),
        ("id beginz 1", "position 4: 'beginz' is no operator for id, which takes eq, =,"),
        ("id eq", "position 6: expected a whole number of 32 bits, found the end"),
        ("id eq 1.5", "position 7: expected a whole number of 32 bits, found '1.5'"),
        ("id eq 9999999999", "expected a whole number of 32 bits"),
        ("id eq 1 id eq 2", "position 9: expected and, or, or the end, found 'id'"),
        ("id eq 1 and", "position 12: expected a column, found the end"),
        ("(id eq 1", "position 9: expected ')' after a condition, found the end"),
        ("id eq 1)", "position 8: expected and, or, or the end, found ')'"),
        ("id between (1,2,3)", "position 12: between takes two values, as (1,5), not 3"),
        ("id oneOf (1,2", "position 14: expected ')' or a comma after a value"),
        ("name eq a", "position 9: expected a text in single quotes, found 'a'"),
        ("name eq 'a", "position 9: this text does not end; close it with ', and double a ' inside it"),
        ("name eq 'a\0'", "position 11: a NUL character"),
        ("state eq Acquired", "position 10: expected a state by number or name, such as 3 or Started"),
        ("state eq All", "expected a state by number or name"),
        ("created after yesterday", "position 15: expected a date such as 2031-02-03"),
        ("created after 2026-02-30", "expected a date such as"),
        ("created date 10000-01-01", "expected a date such as"),
        ("created dateBetween 2026-01-01", "expected ',' between the two dates, found the end"),
        ("isSystemTask eq maybe", "position 17: expected true or false, found 'maybe'"),
        ("result eq 'x'", "position 8: 'eq' is no operator for result, which takes nothing: it is shown only"),
        ("startswith(id,'x')", "position 12: expected a column that holds a text, found id"),
        ("startswith(name)", "position 16: expected ',' and a text after the column, found ')'"),
        ("this(created,decade)", "position 14: expected a period, found 'decade'; there are day, week, month,"),
        ("next(created,0,day)", "position 14: expected how many periods, from 1 to 10000, found 0"),
        ("previous(created,9999,year)", "position 18: the calendar does not have 9999 such periods there"),
        ("not " * (DEEPEST + 2) + "id eq 1", f"more than {DEEPEST} parentheses and negations within one another"),
        ("(" * 3000, f"more than {DEEPEST} parentheses"),
        ("x" * (LONGEST_FILTER + 1), "$filter has 4001 characters; at most 4000 are read"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, said: str) -> None:
    assert said in refusal(text)


WORDS = [
    *COLUMNS, *FUNCTIONS, *{word for operators in OPERATORS.values() for word in operators}, "and", "or", "not", "(",
    ")", ",", "'a'", "''", "1", "-1", "Started", "true", "2026-01-01", "0001-01-01", "9999-12-31T23:59:59", "day",
]  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)))
def test_every_text_is_a_condition_or_a_sentence(text: str) -> None:
    try:
        parsed(text)
    except BadRequest as problem:
        assert problem.detail.startswith("$filter")
        assert "\n" not in problem.detail or "\n" in text


@given(st.sampled_from([kind for kind in Kind if kind is not Kind.SHOWN]), st.data())
def test_every_operator_of_a_kind_reads_values_of_its_kind(kind: Kind, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name, own in COLUMNS.items() if own is kind]))
    operator = data.draw(st.sampled_from(list(OPERATORS[kind])))
    values = {
        Kind.TEXT: ["'a'"], Kind.BOOLEAN: ["true"], Kind.DATE: ["2026-01-01", "2026-01-01,2026-01-02", ""],
    }.get(kind, ["1", "(1,2)", ""])  # fmt: skip
    read = []
    for value in values:
        try:
            read.append(parsed(f"{name} {operator} {value}"))
        except BadRequest:
            continue
    assert len(read) >= 1


def test_columns_are_taken_in_any_letter_case_and_once() -> None:
    assert read_columns("ID, name,Id") == ["id", "name"]
    assert read_columns(None) == read_columns(" , ") == list(COLUMNS)
    assert read_order("STATE, created DESC,id asc") == [("state", False), ("created", True), ("id", False)]
    assert read_order(None) == []


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (read_columns, "nme", "$select: 'nme' is no column of this list; there are id, name,"),
        (read_columns, "Count(id):Footer", "$select: 'Count(id):Footer' is an aggregation, of which this list has"),
        (read_order, "nme", "$orderBy: 'nme' is no column of this list"),
        (read_order, "result", "$orderBy: result is shown, but cannot be sorted by"),
        (read_order, "id down", "$orderBy: after id comes asc, desc or a comma, not 'down'"),
        (read_order, "id asc desc", "$orderBy: after id comes asc, desc or a comma, not 'asc desc'"),
    ],
)
def test_columns_that_there_are_not(read: object, text: str, said: str) -> None:
    assert callable(read)
    with pytest.raises(BadRequest) as refused:
        read(text)
    assert said in refused.value.detail
