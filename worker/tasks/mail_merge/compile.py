"""Taking a part of a template apart into pieces. Slots are marked in the tree, which is serialised once and split.

Marks inside content are processing instructions, marks inside attributes a private character; neither can come
from text, because variables and names are looked for before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from lxml import etree

from worker.tasks.mail_merge.pieces import Lines, Optional, Piece, RightToLeft, Slot, TextSlot, texts_in
from worker.tasks.mail_merge.variables_in_text import Found, drop_empty_runs
from worker.tasks.mail_merge.wordml import Element, W, serialise, w

_TARGET = "batchtask"
_ATTRIBUTE_MARK = "\uf8ff"
_MARKS = re.compile(rb"<\?batchtask (\w+) ?(\d*)\?>|\xef\xa3\xbf(\d+)\xef\xa3\xbf")
#: Run properties that must follow `w:rtl`: https://www.ecma-international.org/publications-and-standards/standards/ecma-376/
_AFTER_RTL = tuple(w(name) for name in ("cs", "em", "lang", "eastAsianLayout", "specVanish", "oMath", "rPrChange"))


@dataclass
class Marks:
    """The slots of one part, by the number that marks their place."""

    slots: list[Slot] = field(default_factory=list)

    def content(self, slot: Slot) -> Element:
        self.slots.append(slot)
        return _instruction("slot", len(self.slots) - 1)

    def attribute(self, slot: Slot) -> str:
        self.slots.append(slot)
        return f"{_ATTRIBUTE_MARK}{len(self.slots) - 1}{_ATTRIBUTE_MARK}"


def _instruction(kind: str, number: int | None = None) -> Element:
    return etree.ProcessingInstruction(_TARGET, kind if number is None else f"{kind} {number}")


def mark_texts(root: Element, found: Found, marks: Marks, *, drop_blank_lines: bool) -> None:
    """Put slots where the variables were found, and mark the paragraphs and lines that may be left out."""
    prefix = next((prefix for prefix, uri in root.nsmap.items() if uri == W and prefix), "w")
    places = {place for place, _ in found.texts}
    drop_empty_runs(root, places)
    if drop_blank_lines:
        for paragraph in _paragraphs_of(found):
            _mark_optional(paragraph, places)
    for place, text in found.texts:
        _mark_text(place, replace(text, prefix=prefix), marks)


def _mark_text(place: Element, text: TextSlot, marks: Marks) -> None:
    place.append(marks.content(text))
    run = place.getparent()
    if run is not None:
        _insert_right_to_left(_run_properties(run), marks.content(RightToLeft(text=text)))


def _run_properties(run: Element) -> Element:
    properties = run.find(w("rPr"))
    if properties is None:
        properties = etree.Element(w("rPr"))
        run.insert(0, properties)
    return properties


def _insert_right_to_left(properties: Element, mark: Element) -> None:
    for already in properties.findall(w("rtl")):
        properties.remove(already)
    _add_complex_script(properties)
    following = [child for child in properties if child.tag in _AFTER_RTL]
    if following:
        following[0].addprevious(mark)
    else:
        properties.append(mark)


def _add_complex_script(properties: Element) -> None:
    """Repeat bold, italic and size for complex scripts, or an Arabic name would fall back to the style's look."""
    for name in ("b", "i", "sz"):
        latin = properties.find(w(name))
        if latin is not None and properties.find(w(f"{name}Cs")) is None:
            twin = etree.Element(w(f"{name}Cs"))
            twin.attrib.update(latin.attrib)
            latin.addnext(twin)


def _paragraphs_of(found: Found) -> list[Element]:
    """List the paragraphs that hold variables, once each and in a fixed order."""
    paragraphs: list[Element] = []
    for place, _ in found.texts:
        paragraph = next(place.iterancestors(w("p")), None)
        if paragraph is not None and paragraph not in paragraphs:
            paragraphs.append(paragraph)
    return paragraphs


def _mark_optional(paragraph: Element, places: set[Element]) -> None:
    if not all(child.tag in {w("pPr"), w("r")} or _is_own_bookmark(child, paragraph) for child in paragraph):
        return
    lines = list(_split_lines(paragraph.findall(w("r"))))
    vanishing = [line for line in lines if _may_vanish(line, places)]
    if len(lines) > 1 and vanishing:
        _mark_lines(paragraph, vanishing)
    if all(_may_vanish(line, places) for line in lines if line) and _is_removable(paragraph):
        paragraph.addprevious(_instruction("open"))
        paragraph.addnext(_instruction("close"))


def _is_own_bookmark(mark: Element, paragraph: Element) -> bool:
    """True if a bookmark begins and ends in this paragraph, so that it may vanish with it."""
    if mark.tag not in {w("bookmarkStart"), w("bookmarkEnd")}:
        return False
    others = paragraph.iter(w("bookmarkStart"), w("bookmarkEnd"))
    return sum(other.get(w("id")) == mark.get(w("id")) for other in others) == 2


def _is_removable(paragraph: Element) -> bool:
    """A cell, a text box and a header must keep a paragraph, and a section its last one."""
    if paragraph.find(f"{w('pPr')}/{w('sectPr')}") is not None:
        return False
    return any(True for _ in paragraph.itersiblings(w("p")))


def _split_lines(runs: list[Element]) -> Iterator[list[Element]]:
    line: list[Element] = []
    for run in runs:
        if _is_line_break(run):
            yield line
            line = []
        else:
            line.append(run)
    yield line


def _is_line_break(run: Element) -> bool:
    found = run.find(w("br"))
    return found is not None and found.get(w("type"), "textWrapping") == "textWrapping"


def _may_vanish(runs: list[Element], places: set[Element]) -> bool:
    """True if these runs hold at least one variable and nothing else that would be seen."""
    contents = [child for run in runs for child in run if child.tag != w("rPr")]
    if any(child.tag != w("t") or (child not in places and (child.text or "").strip()) for child in contents):
        return False
    return any(child in places for child in contents)


def _mark_lines(paragraph: Element, vanishing: list[list[Element]]) -> None:
    for line in vanishing:
        line[0].addprevious(_instruction("open"))
        line[-1].addnext(_instruction("close"))
    for run in paragraph.findall(w("r")):
        if _is_line_break(run):
            run.addprevious(_instruction("separator"))
            run.addnext(_instruction("line"))
    first = next(child for child in paragraph if child.tag != w("pPr"))
    first.addprevious(_instruction("lines"))
    paragraph.append(_instruction("end"))


def assemble(root: Element, marks: Marks) -> list[Piece]:
    """Serialise a marked tree and cut it into pieces."""
    return _Assembly(marks.slots).read(serialise(root))


class _Assembly:
    """Reads the marks of one part; blocks may lie in one another, so open ones form a stack."""

    def __init__(self, slots: list[Slot]) -> None:
        self._slots = slots
        self._stack: list[list[Piece]] = [[]]
        self._lines: list[list[Piece]] = []
        self._separator: list[Piece] = []

    def read(self, data: bytes) -> list[Piece]:
        end = 0
        for match in _MARKS.finditer(data):
            self._add(data[end : match.start()])
            end = match.end()
            if match[3] is not None:
                self._add(self._slots[int(match[3])])
            elif match[1] == b"slot":
                self._add(self._slots[int(match[2])])
            else:
                self._steer(match[1].decode())
        self._add(data[end:])
        return self._stack.pop()

    def _add(self, piece: Piece) -> None:
        if piece != b"":
            self._stack[-1].append(piece)

    def _steer(self, kind: str) -> None:
        match kind:
            case "open" | "lines":
                self._stack.append([])
            case "close":
                pieces = self._stack.pop()
                self._add(Optional(texts=tuple(texts_in(pieces)), pieces=pieces))
            case "separator":
                self._lines.append(self._stack.pop())
                self._stack.append([])
            case "line":
                self._separator = self._stack.pop()
                self._stack.append([])
            case "end":
                self._lines.append(self._stack.pop())
                separator = b"".join(piece for piece in self._separator if isinstance(piece, bytes))
                self._add(Lines(lines=self._lines, separator=separator))
                self._lines = []
