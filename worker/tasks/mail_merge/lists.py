"""Numbered lists. Every letter after the first needs list definitions of its own, or its lists would count on.

The remedy is Word's: a `w:num` that points at the same abstract list and overrides where each level starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from worker.tasks.mail_merge.compile import Marks
from worker.tasks.mail_merge.pieces import ListNumber, Number
from worker.tasks.mail_merge.wordml import Element, number_in, w

_UNCOUNTED = {"bullet", "none"}
_BEFORE_LIST = {w(name) for name in ("pStyle", "keepNext", "keepLines", "pageBreakBefore", "framePr", "widowControl")}
#: Word counts list definitions in a field of this size ([MS-DOC] 2.6.2, sprmPIlfo).
MOST_DEFINITIONS = 2046


@dataclass(frozen=True, kw_only=True)
class _Definition:
    """One `w:num` that counts."""

    abstract: int
    starts: tuple[tuple[int, int], ...]  #: level and its first number


class Lists:
    """The lists of one template."""

    def __init__(self, numbering: Element | None, styles: Element | None) -> None:
        self._definitions = dict(_counting(numbering)) if numbering is not None else {}
        self._by_style = _by_style(styles, numbering) if styles is not None else {}
        self._last = _last_number(numbering)
        self._used: list[int] = []

    def mark(self, root: Element, marks: Marks) -> None:
        """Replace the numbers of lists that count by slots."""
        self._write_out_styles(root)
        elements = [element for element in root.iter(w("numId")) if number_in(element) in self._definitions]
        self._used = sorted({number_in(element) for element in elements})
        for element in elements:
            original = number_in(element)
            element.set(w("val"), marks.attribute(ListNumber(original=original, own=self._number(original))))

    @property
    def per_letter(self) -> int:
        return len(self._used)

    def definitions(self, letters: int) -> Iterator[Element]:
        """Make the definitions that the letters after the first refer to."""
        for index in range(1, letters):
            for original in self._used:
                own = self._number(original)
                yield _new_definition(own.first + index * own.count + own.offset, self._definitions[original])

    def _number(self, original: int) -> Number:
        # Letter 0 keeps the template's numbers, so letter 1 starts right behind them.
        first = self._last + 1 - len(self._used)
        return Number(first=first, count=len(self._used), offset=self._used.index(original))

    def _write_out_styles(self, root: Element) -> None:
        """Write into a paragraph the list that its style names, for only there can it differ by letter."""
        for properties in root.iter(w("pPr")):
            style = properties.find(w("pStyle"))
            if style is None or properties.find(w("numPr")) is not None:
                continue
            if found := self._by_style.get(style.get(w("val"), "")):
                _insert_list(properties, *found)


def _new_definition(number: int, definition: _Definition) -> Element:
    row = etree.Element(w("num"), {w("numId"): str(number)})
    etree.SubElement(row, w("abstractNumId"), {w("val"): str(definition.abstract)})
    for level, start in definition.starts:
        override = etree.SubElement(row, w("lvlOverride"), {w("ilvl"): str(level)})
        etree.SubElement(override, w("startOverride"), {w("val"): str(start)})
    return row


def _counting(numbering: Element) -> Iterator[tuple[int, _Definition]]:
    abstracts = {row.get(w("abstractNumId")): row for row in numbering.iter(w("abstractNum"))}
    for row in numbering.iter(w("num")):
        pointer = row.find(w("abstractNumId"))
        abstract = abstracts.get(pointer.get(w("val"))) if pointer is not None else None
        if abstract is not None and _counts(abstract):
            definition = _Definition(abstract=number_in(abstract, "abstractNumId"), starts=_starts(abstract, row))
            yield number_in(row, "numId"), definition


def _counts(abstract: Element) -> bool:
    formats = {element.get(w("val")) for element in abstract.iter(w("numFmt"))}
    return bool(formats - _UNCOUNTED)


def _starts(abstract: Element, row: Element) -> tuple[tuple[int, int], ...]:
    starts = {number_in(level, "ilvl"): level.find(w("start")) for level in abstract.iter(w("lvl"))}
    for override in row.iter(w("lvlOverride")):
        own = override.find(w("startOverride"))
        starts[number_in(override, "ilvl")] = own if own is not None else starts.get(number_in(override, "ilvl"))
    return tuple((level, number_in(start) if start is not None else 1) for level, start in sorted(starts.items()))


def _by_style(styles: Element, numbering: Element | None) -> dict[str, tuple[int, int]]:
    """Return list and level by style id, inherited along `basedOn`."""
    rows = {style.get(w("styleId"), ""): style for style in styles.iter(w("style"))}
    found = {name: _list_of_style(name, rows) for name in rows}
    levels = _levels_of_styles(numbering)
    return {name: (number, levels.get(name, level)) for name, (number, level) in found.items() if number}


def _list_of_style(name: str, rows: dict[str, Element]) -> tuple[int, int]:
    seen: set[str] = set()
    while name in rows and name not in seen:
        seen.add(name)
        number = rows[name].find(f"{w('pPr')}/{w('numPr')}/{w('numId')}")
        if number is not None:
            level = rows[name].find(f"{w('pPr')}/{w('numPr')}/{w('ilvl')}")
            return number_in(number), number_in(level) if level is not None else 0
        base = rows[name].find(w("basedOn"))
        name = base.get(w("val"), "") if base is not None else ""
    return 0, 0


def _levels_of_styles(numbering: Element | None) -> dict[str, int]:
    if numbering is None:
        return {}
    return {
        style.get(w("val"), ""): number_in(level, "ilvl")
        for level in numbering.iter(w("lvl"))
        for style in level.iter(w("pStyle"))
    }


def _insert_list(properties: Element, number: int, level: int) -> None:
    row = etree.Element(w("numPr"))
    etree.SubElement(row, w("ilvl"), {w("val"): str(level)})
    etree.SubElement(row, w("numId"), {w("val"): str(number)})
    position = sum(child.tag in _BEFORE_LIST for child in properties)
    properties.insert(position, row)


def _last_number(numbering: Element | None) -> int:
    if numbering is None:
        return 0
    return max((number_in(row, "numId") for row in numbering.iter(w("num"))), default=0)
