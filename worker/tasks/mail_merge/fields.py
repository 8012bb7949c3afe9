"""Word's own merge fields, turned into the same markers as `{name}` variables before a template is compiled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

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
_MERGE_FIELDS = {"MERGEFIELD", "MERGEREC", "MERGESEQ", "ADDRESSBLOCK", "NEXT"}
#: They choose by a recipient's value, which a merge without Word cannot do for them.
_CONDITIONS = {"IF", "NEXTIF", "SKIPIF", "GREETINGLINE"}


@dataclass(frozen=True, kw_only=True)
class MergeField:
    """A field's instruction, read."""

    name: str  #: the variable, "" when it only steers the merge
    case: str = ""
    before: str = ""
    after: str = ""


@dataclass
class Unsupported:
    """What was found in a template that a merge cannot honour."""

    fields: list[str] = field(default_factory=list)


@dataclass
class _OpenField:
    """A complex field while its runs are walked."""

    begin: Element
    instruction: str = ""
    shown: list[Element] = field(default_factory=list)  #: runs between separator and end
    separated: bool = False
    has_inner: bool = False


def read_instruction(instruction: str) -> MergeField | None:
    """Read a field's instruction; None means the field is not ours (PAGE, DATE, REF ...)."""
    tokens = [quoted if quoted else plain for quoted, plain in _TOKENS.findall(instruction)]
    if not tokens or tokens[0].upper() not in _MERGE_FIELDS:
        return None
    match tokens[0].upper():
        case "NEXT":
            return MergeField(name="")
        case "MERGEREC" | "MERGESEQ":
            return MergeField(name="snum")
        case "ADDRESSBLOCK":
            return MergeField(name="fad*")
    return _merge_field(tokens[1:])


def _merge_field(tokens: list[str]) -> MergeField:
    name = tokens[0] if tokens else ""
    switches = dict(zip(tokens[1::2], tokens[2::2], strict=False))
    return MergeField(
        name=ALIASES.get(name.lower(), name.lower()),
        case=_CASES.get(switches.get("\\*", "").lower(), ""),
        before=_unescape(switches.get("\\b", "")),
        after=_unescape(switches.get("\\f", "")),
    )


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def condition(instruction: str) -> str:
    """Return the keyword if the field chooses between texts, else ""."""
    keyword = instruction.split(maxsplit=1)[0].upper() if instruction.strip() else ""
    return keyword if keyword in _CONDITIONS else ""


def find_merge_fields(paragraph: Element, unsupported: Unsupported) -> Iterator[tuple[MergeField, Element]]:
    """Replace each merge field of a paragraph by one empty `w:t` and yield it with what it asks for."""
    for simple in list(own_descendants(paragraph, "fldSimple")):
        instruction = simple.get(w("instr"), "")
        _note_condition(instruction, unsupported)
        if merge_field := read_instruction(instruction):
            yield merge_field, _replace_simple(simple)
    yield from _complex_fields(paragraph, unsupported)


def _replace_simple(simple: Element) -> Element:
    shown = list(simple.iter(w("r")))
    run = shown[0] if shown else simple.makeelement(w("r"))
    text = _only_text(run)
    simple.addprevious(run)
    remove(simple)
    return text


def _complex_fields(paragraph: Element, unsupported: Unsupported) -> Iterator[tuple[MergeField, Element]]:
    open_fields: list[_OpenField] = []
    runs = list(own_descendants(paragraph, "r"))
    for run in runs:
        character = run.find(w("fldChar"))
        kind = character.get(w("fldCharType")) if character is not None else None
        if kind == "begin":
            if open_fields:
                open_fields[-1].has_inner = True
            open_fields.append(_OpenField(begin=run))
        elif not open_fields:
            continue
        elif kind == "separate":
            open_fields[-1].separated = True
        elif kind == "end":
            closed = open_fields.pop()
            _note_condition(closed.instruction, unsupported)
            if not closed.has_inner and (merge_field := read_instruction(closed.instruction)):
                yield merge_field, _replace_complex(closed, runs, run)
        elif open_fields[-1].separated:
            open_fields[-1].shown.append(run)
        else:
            open_fields[-1].instruction += "".join(code.text or "" for code in run.iter(w("instrText")))


def _replace_complex(closed: _OpenField, runs: list[Element], end: Element) -> Element:
    """Keep one run: the first one shown, for it has the look the author gave the value."""
    kept = closed.shown[0] if closed.shown else closed.begin
    for run in runs[runs.index(closed.begin) : runs.index(end) + 1]:
        if run is not kept:
            remove(run)
    return _only_text(kept)


def _only_text(run: Element) -> Element:
    for child in list(run):
        if child.tag != w("rPr"):
            run.remove(child)
    text = new_text("")
    run.append(text)
    return text


def _note_condition(instruction: str, unsupported: Unsupported) -> None:
    if keyword := condition(instruction):
        unsupported.fields.append(keyword)
