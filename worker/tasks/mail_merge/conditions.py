"""Word's fields that choose by a recipient's values: IF between two texts, SKIPIF whether there is a letter at all.

What is compared, and how, is told at https://support.microsoft.com/office/field-codes-if-field-9f79e82f-e53b-4ff5-9d2c-ae3b22b7eb5e
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from worker.tasks.mail_merge.pieces import CANDIDATE, Text, TextSlot

Values = Mapping[str, str]
#: Fields inside an instruction, in the text that is read: their number between two private characters.
_PLACE = "\ufdd0"
_TOKENS = re.compile(r'["“”„]((?:[^"“”\\]|\\.)*)["“”]|(<>|<=|>=|=|<|>)|([^\s"“”<>=]+)')
_COMPARISONS: Mapping[str, Callable[[float], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


@dataclass(frozen=True)
class Words:
    """A text with variables in it."""

    parts: tuple[str | TextSlot, ...]

    def text(self, values: Values) -> str:
        return "".join(part if isinstance(part, str) else part.of(values) for part in self.parts)

    @property
    def names(self) -> frozenset[str]:
        return frozenset().union(*(part.names for part in self.parts if isinstance(part, TextSlot)))


@dataclass(frozen=True, kw_only=True)
class Condition:
    left: Words
    operator: str
    right: Words  #: `*` and `?` stand for any characters and for any one, where equality is asked for

    def holds(self, values: Values) -> bool:
        left, right = self.left.text(values), self.right.text(values)
        numbers = _number(left), _number(right)
        if self.operator in {"=", "<>"}:
            same = numbers[0] == numbers[1] if None not in numbers else bool(_pattern(right).fullmatch(left))
            return same is (self.operator == "=")
        if numbers[0] is not None and numbers[1] is not None:
            return _COMPARISONS[self.operator](numbers[0] - numbers[1])
        return _COMPARISONS[self.operator]((left > right) - (left < right))

    @property
    def names(self) -> frozenset[str]:
        return self.left.names | self.right.names


@dataclass(frozen=True, kw_only=True)
class Choice(TextSlot):
    """One of two texts."""

    condition: Condition
    then: Words
    otherwise: Words

    def of(self, values: Values) -> str:
        return (self.then if self.condition.holds(values) else self.otherwise).text(values)

    @property
    def names(self) -> frozenset[str]:
        return self.condition.names | self.then.names | self.otherwise.names


class NotReadable(Exception):
    """The instruction is not one that Word would understand."""


def read_choice(instruction: Sequence[str | TextSlot]) -> Choice:
    """Read what follows IF.

    Raises:
        NotReadable: Something is missing.
    """
    condition, texts = _read(instruction)
    if not texts:
        raise NotReadable
    return Choice(condition=condition, then=texts[0], otherwise=texts[1] if len(texts) > 1 else Words(()))


def read_condition(instruction: Sequence[str | TextSlot]) -> Condition:
    """Read what follows SKIPIF.

    Raises:
        NotReadable: Something is missing.
    """
    return _read(instruction)[0]


def _read(instruction: Sequence[str | TextSlot]) -> tuple[Condition, list[Words]]:
    instruction = [part for parts in _joined(instruction) for part in _split(parts)]
    fields = [part for part in instruction if not isinstance(part, str)]
    places = iter(range(len(fields)))
    text = "".join(part if isinstance(part, str) else f"{_PLACE}{next(places)}{_PLACE}" for part in instruction)
    tokens = [(match[2] or "", _words(match[1] or match[3] or "", fields)) for match in _TOKENS.finditer(text)]
    match tokens:
        case [(_, _), ("", left), (operator, _), ("", right), *rest] if operator:
            switches = next((at for at, (_, words) in enumerate(rest) if _is_switch(words)), len(rest))
            return Condition(left=left, operator=operator, right=right), [words for _, words in rest[:switches]]
    raise NotReadable


def _joined(instruction: Sequence[str | TextSlot]) -> Iterator[str | TextSlot]:
    """Put texts together that Word has cut into runs."""
    for is_text, parts in groupby(instruction, lambda part: isinstance(part, str)):
        if is_text:
            yield "".join(str(part) for part in parts)
        else:
            yield from parts


def _split(part: str | TextSlot) -> Iterator[str | TextSlot]:
    """Take `{name}` variables out of the text of an instruction."""
    if not isinstance(part, str):
        yield part
        return
    for place, found in enumerate(CANDIDATE.split(part)):
        yield Text(name=found) if place % 2 else found


def _words(token: str, fields: Sequence[TextSlot]) -> Words:
    parts = token.split(_PLACE)  # texts and numbers of fields, by turns
    read = (fields[int(part)] if place % 2 else re.sub(r"\\(.)", r"\1", part) for place, part in enumerate(parts))
    return Words(tuple(part for part in read if part != ""))


def _is_switch(words: Words) -> bool:
    return words.parts in {("*",), ("MERGEFORMAT",)}


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _pattern(text: str) -> re.Pattern[str]:
    wildcards = {"*": ".*", "?": "."}
    return re.compile("".join(wildcards.get(character, re.escape(character)) for character in text), re.DOTALL)
