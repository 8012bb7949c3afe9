"""What an operator of a criterion asks of a value. Names are those of the CRM's archive providers, and signs.

`is`, `begins` and so on ask something; their denials (`isNot`, `notBegins`) hold for whatever that does not hold
for, also for records without a value: "city is not Oslo" finds a company without an address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Date,
    Double,
    Select,
    Text,
    and_,
    any_,
    cast,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.sql.type_api import TypeEngine

from batchtask import crm7
from worker.tasks.crm.criterion_values import (
    read_day,
    read_decimal,
    read_flag,
    read_integer,
    read_moment,
    read_text,
)
from worker.tasks.crm.fields import NO_DATE_BEFORE, Choices, Condition, Expression, Field, Kind, Test, is_blank
from worker.tasks.crm.periods import FIXED, IN_DAYS, IN_PERIODS, UNITS, Range


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Who asks, and when: what "current user" and "today" mean."""

    associate_id: int
    group_id: int
    now: datetime  #: on the database's clock, without a zone


Values = Sequence[str]
_Make = Callable[[Values, Asking], Test]

_ALIASES = {
    "=": "is", "==": "is", "equals": "is", "set": "is", "date": "is", "equal": "is",
    "<": "less", ">": "greater", "<=": "lessequals", ">=": "greaterequals",
    "startswith": "begins", "endswith": "ends", "in": "oneof", "associateisoneof": "oneof",
    "empty": "isnull", "isempty": "isnull", "datebetween": "between", "lastdaysincludingtoday": "lastdays",
}  # fmt: skip
_DENIALS = {
    "<>": "is", "!=": "is", "unequals": "is", "isnot": "is", "notbegins": "begins", "notends": "ends",
    "notcontains": "contains", "notoneof": "oneof", "associateisnotoneof": "oneof", "notin": "oneof",
    "notbetween": "between", "isnotnull": "isnull", "notempty": "isnull", "isnotempty": "isnull",
    "notcurrentassociate": "currentassociate", "notcurrentgroup": "currentgroup",
}  # fmt: skip
#: How many values an operator takes; the others take one or more.
_COUNTS = {
    "isnull": 0, "currentassociate": 0, "currentgroup": 0, "between": 2, "thisperiod": 1, "thispreviousandnext": 1,
    **dict.fromkeys(FIXED, 0), **dict.fromkeys(IN_DAYS, 1),
    **dict.fromkeys(("nextperiod", "previousperiod", "thisandnext", "thisandprevious"), 2),
}  # fmt: skip
_SEVERAL = {"is", "oneof"}
_SPELLED = {
    name.lower(): name
    for name in (
        "oneOf", "isNull", "lessEquals", "greaterEquals", "beforeTime", "afterTime", "dateTime", "beforeToday",
        "afterToday", "thisWeek", "lastWeek", "nextWeek", "thisMonth", "lastMonth", "nextMonth", "thisQuarter",
        "lastQuarter", "nextQuarter", "thisHalf", "lastHalf", "nextHalf", "thisYear", "lastYear", "nextYear",
        "lastDays", "nextDays", "beforeDays", "afterDays", "thisPeriod", "nextPeriod", "previousPeriod",
        "thisAndNext", "thisAndPrevious", "thisPreviousAndNext", "currentAssociate", "currentGroup",
        "isNot", "notOneOf", "notBegins", "notEnds", "notContains", "notBetween", "isNotNull",
    )
}  # fmt: skip


def canonical(operator: str) -> tuple[str, bool]:
    """Return the name an operator goes by, and whether it denies it."""
    name = operator.strip().lower()
    return (_DENIALS[name], True) if name in _DENIALS else (_ALIASES.get(name, name), False)


def known_operators(kind: Kind) -> list[str]:
    """Return all operators for values of this kind, as archives spell them, without their other names."""
    positive = {*_operators(kind), "isnull"}
    denied = [name for name in _SPELLED if _DENIALS.get(name) in positive]
    return [_SPELLED.get(name, name) for name in (*sorted(positive), *denied)]


def is_known(kind: Kind, name: str) -> bool:
    """Say whether values of this kind can be asked that."""
    return name == "isnull" or name in _operators(kind)


def value_count(name: str) -> int | None:
    """Return how many values the operator takes; None for one or more."""
    return None if name in _SEVERAL else _COUNTS.get(name, 1)


def make_test(field: Field, name: str, values: Values, asking: Asking) -> Test:
    """Make the test that an operator puts to a stored value.

    Raises:
        KeyError: The operator is not one for this kind of field.
        ValueError, OverflowError: A value is not of the field's kind.
    """
    if name == "isnull":
        return lambda value: is_blank(field.kind, value)
    if field.choices and name in _CHOICE_TESTS:
        return _CHOICE_TESTS[name](field.choices, values)
    return _operators(field.kind)[name](values, asking)


def _operators(kind: Kind) -> dict[str, _Make]:
    if kind is Kind.TEXT:
        return _TEXT
    if kind.is_number:
        return _number_operators(read_integer if kind is Kind.NUMBER else read_decimal)
    if kind.is_date:
        return _DATES
    if kind is Kind.FLAG:
        return {"is": lambda values, _: _flag(values)}
    own = {Kind.USER: _USERS, Kind.GROUP: _GROUPS}.get(kind, {})
    return {**own, **dict.fromkeys(_CHOICE_TESTS, lambda _values, _asking: _never)}


def _never(_: Expression) -> Condition:
    return false()


# Text: without regard to capitals; wildcards in what a user types are letters like others.


def _equal_text(values: Values) -> Test:
    wanted = [read_text(value) for value in values]
    if len(wanted) == 1:
        return lambda value: func.lower(value) == func.lower(wanted[0])
    return lambda value: func.lower(value).in_(_lowered(wanted))


def _lowered(texts: Sequence[str]) -> Select[tuple[str]]:
    """By the database, which knows as small letters what it knows as such in its columns."""
    return select(func.lower(func.unnest(_array(texts, Text()))))


def _array(values: Sequence[object], kind: TypeEngine[Any]) -> Expression:
    """Bind all values as one: a criterion may have more of them than a statement takes, which is 65 535."""
    return literal(list(values), ARRAY(kind))


def _matching(method: str) -> _Make:
    def make(values: Values, _: Asking) -> Test:
        wanted = read_text(values[0])
        return lambda value: getattr(value, method)(wanted, autoescape=True)

    return make


_TEXT: dict[str, _Make] = {
    "is": lambda values, _: _equal_text(values),
    "oneof": lambda values, _: _equal_text(values),
    "begins": _matching("istartswith"),
    "ends": _matching("iendswith"),
    "contains": _matching("icontains"),
}


# Numbers and flags.


def _wide(number: float) -> Expression:
    """Bind a number that may be more than the column's type holds: it is only compared."""
    return literal(number, BigInteger() if isinstance(number, int) else Double())


def _one_of_numbers(numbers: Sequence[float]) -> Test:
    whole = all(isinstance(number, int) for number in numbers)
    kind: TypeEngine[Any] = BigInteger() if whole else Double()
    return lambda value: value == any_(_array(numbers, kind))


def _number_operators(read: Callable[[str], float]) -> dict[str, _Make]:
    def equal(values: Values, _: Asking) -> Test:
        return _one_of_numbers([read(value) for value in values])

    def compare(comparison: Callable[[Expression, Expression], Condition]) -> _Make:
        def make(values: Values, _: Asking) -> Test:
            wanted = _wide(read(values[0]))
            return lambda value: comparison(value, wanted)

        return make

    def between(values: Values, _: Asking) -> Test:
        low, high = sorted(read(value) for value in values)
        return lambda value: value.between(_wide(low), _wide(high))

    return {
        "is": equal,
        "oneof": equal,
        "less": compare(lambda value, wanted: value < wanted),
        "greater": compare(lambda value, wanted: value > wanted),
        "lessequals": compare(lambda value, wanted: value <= wanted),
        "greaterequals": compare(lambda value, wanted: value >= wanted),
        "between": between,
    }


def _flag(values: Values) -> Test:
    wanted = read_flag(values[0]) if values else 1
    return lambda value: value == wanted


# Dates: every question is one for a range of days, so that an index can answer it.


def _within(low: date | datetime, high: date | datetime) -> Test:
    first = max(_moment(low), NO_DATE_BEFORE)
    return lambda value: and_(value >= first, value < _moment(high))


def _moment(day: date | datetime) -> datetime:
    return day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)


def _after(day: date) -> date:
    return min(day, date.max - timedelta(days=1)) + timedelta(days=1)


def _days(make: Callable[[date], Range]) -> _Make:
    return lambda values, _: _within(*make(read_day(values[0])))


def _between_days(values: Values, _: Asking) -> Test:
    low, high = sorted(read_day(value) for value in values)
    return _within(low, _after(high))


def _any_day(values: Values, _: Asking) -> Test:
    days = [read_day(value) for value in values]
    within = _within(min(days), _after(max(days)))
    if len(days) == 1:
        return within
    return lambda value: and_(within(value), cast(value, Date) == any_(_array(days, Date())))


def _exactly(values: Values, _: Asking) -> Test:
    moment = read_moment(values[0])
    return _within(moment, moment + timedelta(seconds=1))


def _sliding(name: str) -> _Make:
    return lambda _, asking: _within(*FIXED[name](asking.now.date()))


def _sliding_days(name: str) -> _Make:
    return lambda values, asking: _within(*IN_DAYS[name](asking.now.date(), _natural(values[0])))


def _sliding_periods(name: str) -> _Make:
    def make(values: Values, asking: Asking) -> Test:
        *counts, unit = values
        count = _natural(counts[0]) if counts else 1
        return _within(*IN_PERIODS[name](asking.now.date(), count, _unit(unit)))

    return make


def _natural(value: str) -> int:
    number = read_integer(value)
    if number < 0:
        raise ValueError(value)
    return number


def _unit(value: str) -> str:
    text = read_text(value).strip().lower()
    unit = UNITS.get(text, text)
    if unit not in UNITS.values():
        raise ValueError(value)
    return unit


_DATES: dict[str, _Make] = {
    "is": _any_day,
    "oneof": _any_day,
    "before": _days(lambda day: (date.min, day)),
    "after": _days(lambda day: (_after(day), date.max)),
    "less": _days(lambda day: (date.min, day)),
    "lessequals": _days(lambda day: (date.min, _after(day))),
    "greater": _days(lambda day: (_after(day), date.max)),
    "greaterequals": _days(lambda day: (day, date.max)),
    "between": _between_days,
    "beforetime": lambda values, _: _within(date.min, read_moment(values[0])),
    "aftertime": lambda values, _: _within(read_moment(values[0]), date.max),
    "datetime": _exactly,
    **{name: _sliding(name) for name in FIXED},
    **{name: _sliding_days(name) for name in IN_DAYS},
    **{name: _sliding_periods(name) for name in IN_PERIODS},
}


# Lists: by id or by name.


def _chosen(choices: Choices, values: Values) -> Test:
    texts = [read_text(value).strip() for value in values]
    ids = [read_integer(value) for value in texts if value.lstrip("-").isdecimal()]
    names = {value.lower() for value in texts if not value.lstrip("-").isdecimal()}
    if choices.rows is None:
        return _one_of_numbers([*ids, *_words(choices, names)])
    if not names:
        return _one_of_numbers(ids)
    rows = choices.keys(lambda name: func.lower(name).in_(_lowered(sorted(names))))
    by_id = _one_of_numbers(ids)
    return lambda key: or_(by_id(key), key.in_(rows)) if ids else key.in_(rows)


def _words(choices: Choices, names: set[str]) -> list[int]:
    unknown = names - {word.lower() for word in choices.words.values()}
    if unknown:
        raise ValueError(unknown)
    return [key for key, word in choices.words.items() if word.lower() in names]


def _matching_name(method: str) -> Callable[[Choices, Values], Test]:
    def make(choices: Choices, values: Values) -> Test:
        wanted = read_text(values[0])
        if choices.rows is None:
            matches = str.startswith if method == "istartswith" else str.__contains__
            return _one_of_numbers(
                [key for key, word in choices.words.items() if matches(word.lower(), wanted.lower())]
            )
        rows = choices.keys(lambda name: getattr(name, method)(wanted, autoescape=True))
        return lambda key: key.in_(rows)

    return make


_CHOICE_TESTS: dict[str, Callable[[Choices, Values], Test]] = {
    "is": _chosen,
    "oneof": _chosen,
    "begins": _matching_name("istartswith"),
    "contains": _matching_name("icontains"),
}


def _current_user(_: Values, asking: Asking) -> Test:
    return lambda key: key == asking.associate_id


def _users_of_group(_: Values, asking: Asking) -> Test:
    associate = crm7.associate.alias()
    members = select(associate.c.associate_id).where(associate.c.group_idx == asking.group_id)
    return lambda key: key.in_(members)


def _current_group(_: Values, asking: Asking) -> Test:
    return lambda key: key == asking.group_id


_USERS: dict[str, _Make] = {"currentassociate": _current_user, "currentgroup": _users_of_group}
_GROUPS: dict[str, _Make] = {"currentgroup": _current_group}
