"""Finding `{name}` variables and merge fields in a part, and giving each a run of its own.

Word cuts text into runs wherever it likes (spelling, revisions, a cursor that rested there), so a variable is
looked for in the text of a whole paragraph and then put back together in the run in which it begins.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from worker.tasks.mail_merge.conditions import Condition
from worker.tasks.mail_merge.fields import Fields, find_fields
from worker.tasks.mail_merge.pieces import CANDIDATE, Text, TextSlot
from worker.tasks.mail_merge.wordml import Element, explode, new_run, new_text, own_descendants, remove, w

_FILL_CHARACTER = re.compile(r"padd\d{0,3}")  # pads fields of fixed width; Word needs none
_BREAKS = frozenset(w(name) for name in ("tab", "br", "cr", "ptab", "noBreakHyphen", "softHyphen", "fldChar"))


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What counts as a variable."""

    known: Container[str]
    case_sensitive: bool = False  #: on: `{NAME}` is `{name}` in capitals
    unknown: str = "fail"  #: fail, keep or blank


@dataclass
class Found:
    """Places of variables in one part: the empty `w:t` of each, alone in its run."""

    texts: list[tuple[Element, TextSlot]] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  #: fields of Word's that a merge cannot honour
    skips: list[Condition] = field(default_factory=list)  #: recipients for whom one holds get no letter


def find_variables(root: Element, rules: Rules) -> Found:
    """Find every variable below `root`; the tree is changed so that each stands alone."""
    found = Found()
    for paragraph in list(root.iter(w("p"))):
        if _may_hold_variables(paragraph):
            _search(paragraph, rules, found)
    return found


def _may_hold_variables(paragraph: Element) -> bool:
    if any(True for _ in own_descendants(paragraph, "fldChar", "fldSimple")):
        return True
    return "{" in "".join(text.text or "" for text in own_descendants(paragraph, "t"))


def _search(paragraph: Element, rules: Rules, found: Found) -> None:
    for run in list(own_descendants(paragraph, "r")):
        explode(run)
    fields = Fields()
    find_fields(paragraph, fields)
    found.refused |= fields.refused
    found.skips += fields.skips
    found.unknown |= {f"«{name}»" for skip in fields.skips for name in skip.names if name not in rules.known}
    for text, place in fields.texts:
        _add_field(text, place, rules, found)
    for texts in list(_stretches(paragraph)):
        _search_text(texts, rules, found)


def _add_field(text: TextSlot, place: Element, rules: Rules, found: Found) -> None:
    unknown = sorted(f"«{name}»" for name in text.names if name not in rules.known)
    if not unknown:
        found.texts.append((place, text))
        return
    found.unknown.update(unknown)
    if rules.unknown == "keep":
        place.text = " ".join(unknown)


def _stretches(paragraph: Element) -> Iterator[list[Element]]:
    """Iterate over neighbouring texts; a tab, a line break or a field ends a stretch."""
    texts: list[Element] = []
    for run in own_descendants(paragraph, "r"):
        for child in run:
            if child.tag == w("t"):
                texts.append(child)
            elif child.tag in _BREAKS:
                yield texts
                texts = []
    yield texts


def _search_text(texts: list[Element], rules: Rules, found: Found) -> None:
    whole = "".join(text.text or "" for text in texts)
    # From the end, so that what is found earlier in the text stays where it was.
    for match in reversed(list(CANDIDATE.finditer(whole))):
        variable = read_variable(match[1], rules)
        if variable is None:
            found.unknown.add(match[0])
            if rules.unknown != "blank":
                continue
        place = _cut(texts, match.start(), match.end())
        if variable is not None and variable.name:
            found.texts.append((place, variable))


def read_variable(raw: str, rules: Rules) -> Text | None:
    name = raw.lower()
    if _FILL_CHARACTER.fullmatch(name):
        return Text(name="")
    if name not in rules.known or (name != raw and not rules.case_sensitive):
        return None
    return Text(name=name, case=_case(raw))


def _case(raw: str) -> str:
    letters = [character for character in raw if character.isalpha()]
    if all(letter.isupper() for letter in letters):
        return "upper"
    return "first" if raw[0].isupper() else ""


def _cut(texts: list[Element], start: int, end: int) -> Element:
    """Take the characters from `start` to `end` out, leaving an empty `w:t` alone in a run where they began."""
    position = 0
    place: Element | None = None
    for text in list(texts):
        content = text.text or ""
        first, last = max(start - position, 0), min(end - position, len(content))
        position += len(content)
        if first >= last:
            continue
        if place is None:
            place = _split(text, content[:first], content[last:], texts)
        else:
            text.text = content[last:]
    if place is None:
        raise ValueError(f"no text from {start} to {end}")
    return place


def _split(text: Element, before: str, after: str, texts: list[Element]) -> Element:
    run = text.getparent()
    if run is None:
        raise ValueError("a text outside a run")
    place = new_text("")
    tail = new_text(after)
    for content in (tail, place):
        beside = new_run(run)
        beside.append(content)
        run.addnext(beside)
    text.text = before
    index = texts.index(text)
    texts[index + 1 : index + 1] = [place, tail]
    return place


def drop_empty_runs(root: Element, places: Container[Element]) -> None:
    """Remove the empty runs that cutting left behind; those in `places` wait for a value."""
    for text in list(root.iter(w("t"))):
        run = text.getparent()
        if not text.text and len(text) == 0 and text not in places and run is not None:
            run.remove(text)
            if all(child.tag == w("rPr") for child in run):
                remove(run)
