"""Word's own merge fields, turned into the same texts as `{name}` variables before a template is compiled."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field

from worker.tasks.mail_merge.conditions import Condition, NotReadable, read_choice, read_condition
from worker.tasks.mail_merge.pieces import CANDIDATE, Text, TextSlot
from worker.tasks.mail_merge.wordml import Element, new_text, own_descendants, remove, w

#: What Word's address list calls a column, and the variable that holds it.
ALIASES = {
    "company": "name", "company_name": "name", "department": "dept", "title": "atmr", "courtesy_title": "atmr",
    "first_name": "atfn", "firstname": "atfn", "middle_name": "atmn", "last_name": "atln", "lastname": "atln",
    "full_name": "attn", "name": "name", "job_title": "atti", "address": "addr", "address_line_1": "addr",
    "address1": "addr", "address_line_2": "pad2", "address2": "pad2", "city": "city", "state": "stat",
    "zip_code": "zipc", "zip": "zipc", "postal_code": "zipc", "country": "cntr", "country_or_region": "cntr",
    "home_phone": "phon", "work_phone": "phon", "phone": "phon", "e_mail_address": "atem", "email": "atem",
}  # fmt: skip

_TOKENS = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_CASES = {"upper": "upper", "lower": "lower", "firstcap": "first", "caps": "caps"}
_MERGE_FIELDS = {"MERGEFIELD", "MERGEREC", "MERGESEQ", "ADDRESSBLOCK"}
_CONDITIONS = {"IF", "SKIPIF"}
#: Words of Word's that stand in no letter's way: a link is dropped where a variable is part of its address.
_HARMLESS = {"HYPERLINK", "ADDIN"}
#: What cannot be done, and what to do instead.
_REFUSED = {
    "NEXT": "the Word field NEXT (several recipients on a page: print labels instead)",
    "NEXTIF": "the Word field NEXTIF (several recipients on a page: print labels instead)",
    "GREETINGLINE": "the Word field GREETINGLINE (write {salu} instead)",
}
_UNREADABLE = (
    "the Word field {} in a form that is not understood (use one paragraph, and quotation marks around texts)"
)
_OF_WORD = "the Word field {} with a variable in its instruction (write the variable outside of the field)"
_WITH_OTHERS = "the Word field {} that asks both for a variable and for {} (use one field for each)"
_CONTENTS = {w("instrText"): None, w("t"): None, w("br"): "\n", w("cr"): "\n", w("tab"): "\t"}


@dataclass
class Fields:
    """What Word's fields of one part ask for."""

    texts: list[tuple[TextSlot, Element]] = field(default_factory=list)  #: with the empty `w:t` of each
    skips: list[Condition] = field(default_factory=list)  #: recipients for whom one holds get no letter
    refused: set[str] = field(default_factory=set)  #: what a merge cannot honour


@dataclass
class _OpenField:
    """A complex field while its runs are walked."""

    begin: Element
    instruction: list[str | TextSlot] = field(default_factory=list)
    others: set[str] = field(default_factory=set)  #: keywords of fields in the instruction that only Word can fill
    shown: list[Element] = field(default_factory=list)  #: runs between separator and end
    separated: bool = False
    inner: list[tuple[TextSlot, Element]] = field(default_factory=list)

    @property
    def code(self) -> str:
        """The instruction as far as it is text."""
        return "".join(part for part in self.instruction if isinstance(part, str))

    @property
    def keyword(self) -> str:
        return (self.code.split(maxsplit=1) or [""])[0].upper()

    @property
    def depends_on_recipient(self) -> bool:
        """True if a variable or a merge field stands in the instruction."""
        return bool(CANDIDATE.search(self.code)) or any(isinstance(part, TextSlot) for part in self.instruction)


def read_instruction(instruction: str) -> Text | None:
    """Read a field's instruction; None means the field is not ours (PAGE, DATE, REF ...)."""
    tokens = [quoted if quoted else plain for quoted, plain in _TOKENS.findall(instruction)]
    if not tokens or tokens[0].upper() not in _MERGE_FIELDS:
        return None
    match tokens[0].upper():
        case "MERGEREC" | "MERGESEQ":
            return Text(name="snum")
        case "ADDRESSBLOCK":
            return Text(name="fad*")
    return _merge_field(tokens[1:])


def _merge_field(tokens: list[str]) -> Text:
    name = tokens[0] if tokens else ""
    switches = dict(zip(tokens[1::2], tokens[2::2], strict=False))
    return Text(
        name=ALIASES.get(name.lower(), name.lower()),
        case=_CASES.get(switches.get("\\*", "").lower(), ""),
        before=_unescape(switches.get("\\b", "")),
        after=_unescape(switches.get("\\f", "")),
    )


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def find_fields(paragraph: Element, fields: Fields) -> None:
    """Replace each field of a paragraph that asks for a text by one empty `w:t`, and note what it asks for."""
    for simple in list(own_descendants(paragraph, "fldSimple")):
        _find_simple(simple, fields)
    _find_complex(paragraph, fields)


def _find_simple(simple: Element, fields: Fields) -> None:
    run = next(simple.iter(w("r")), None)
    read = _OpenField(begin=simple if run is None else run, instruction=[simple.get(w("instr"), "")])
    text = _read_field(read, fields)
    if text is None and read.keyword not in _CONDITIONS:
        return
    place = simple.makeelement(w("r")) if run is None else run
    simple.addprevious(place)
    remove(simple)
    if text is None:
        remove(place)
    else:
        fields.texts.append((text, _only_text(place)))


def _find_complex(paragraph: Element, fields: Fields) -> None:
    open_fields: list[_OpenField] = []
    runs = list(own_descendants(paragraph, "r"))
    for run in runs:
        character = run.find(w("fldChar"))
        kind = character.get(w("fldCharType")) if character is not None else None
        if kind == "begin":
            open_fields.append(_OpenField(begin=run))
        elif not open_fields:
            continue
        elif kind == "separate":
            open_fields[-1].separated = True
        elif kind == "end":
            _close(open_fields, runs, run, fields)
        elif open_fields[-1].separated:
            open_fields[-1].shown.append(run)
        else:
            open_fields[-1].instruction.append(_content(run))
    for left_open in open_fields:
        fields.texts.extend(left_open.inner)
        if left_open.keyword in _CONDITIONS:
            fields.refused.add(_UNREADABLE.format(left_open.keyword))


def _content(run: Element) -> str:
    return "".join(_CONTENTS[str(child.tag)] or child.text or "" for child in run if child.tag in _CONTENTS)


def _close(open_fields: list[_OpenField], runs: list[Element], end: Element, fields: Fields) -> None:
    closed = open_fields.pop()
    outer = open_fields[-1] if open_fields else None
    places = outer.inner if outer else fields.texts
    text = _read_field(closed, fields)
    if text is None:
        _leave(closed, runs, end)
        places.extend(closed.inner)
        if outer and not outer.separated and closed.keyword != "SKIPIF":
            outer.others |= {closed.keyword, *closed.others}
    else:
        kept = closed.shown[0] if closed.shown else closed.begin
        _remove_runs(closed, runs, end, keep=[kept])
        places.append((text, _only_text(kept)))
        if outer and not outer.separated:
            outer.instruction.append(text)
    if outer and outer.separated:
        outer.shown.extend(runs[runs.index(closed.begin) : runs.index(end) + 1])


def _leave(closed: _OpenField, runs: list[Element], end: Element) -> None:
    """Leave a field to Word, but for those that have nothing to show, or would lead nowhere."""
    if closed.keyword == "SKIPIF":
        _remove_runs(closed, runs, end)
    elif closed.keyword == "HYPERLINK" and closed.depends_on_recipient:
        closed.inner = [(text, place) for text, place in closed.inner if place.getparent() in closed.shown]
        _remove_runs(closed, runs, end, keep=closed.shown)


def _read_field(closed: _OpenField, fields: Fields) -> TextSlot | None:
    """Return what text a field asks for; None for a field that asks for none, or is not ours."""
    if refused := _REFUSED.get(closed.keyword):
        fields.refused.add(refused)
    if not _is_ours(closed, fields):
        return None
    try:
        if closed.keyword == "IF":
            return read_choice(closed.instruction)
        if closed.keyword == "SKIPIF":
            fields.skips.append(read_condition(closed.instruction))
    except NotReadable:
        fields.refused.add(_UNREADABLE.format(closed.keyword))
    return None if closed.inner else read_instruction(closed.code)


def _is_ours(closed: _OpenField, fields: Fields) -> bool:
    """True if a field can be filled in here; refuses those of Word's that show what only a recipient tells."""
    if closed.keyword in _CONDITIONS:
        if closed.others and (closed.depends_on_recipient or closed.keyword == "SKIPIF"):
            fields.refused.add(_WITH_OTHERS.format(closed.keyword, " and ".join(sorted(closed.others))))
        return not closed.others
    if closed.keyword in _MERGE_FIELDS:
        return True
    if closed.depends_on_recipient and closed.keyword not in _HARMLESS | _REFUSED.keys():
        fields.refused.add(_OF_WORD.format(closed.keyword))
    return False


def _remove_runs(closed: _OpenField, runs: list[Element], end: Element, *, keep: Container[Element] = ()) -> None:
    for run in runs[runs.index(closed.begin) : runs.index(end) + 1]:
        if run not in keep:
            remove(run)


def _only_text(run: Element) -> Element:
    """Empty a run but for its look, and return the new `w:t` in it."""
    for child in list(run):
        if child.tag != w("rPr"):
            run.remove(child)
    text = new_text("")
    run.append(text)
    return text
