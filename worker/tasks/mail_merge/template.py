"""A template, compiled: everything that is done once, however many letters follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from batchtask.definitions import TaskFailure
from worker.tasks.mail_merge.body import clean, make_ids_unique
from worker.tasks.mail_merge.compile import Marks, assemble, mark_texts
from worker.tasks.mail_merge.conditions import Condition
from worker.tasks.mail_merge.lists import Lists
from worker.tasks.mail_merge.notes import (
    KINDS,
    Notes,
    end_with_section,
    mark_references,
    restart_numbers,
)
from worker.tasks.mail_merge.outside_text import unlink, variables_in_drawings
from worker.tasks.mail_merge.package import Package, damaged, relationships_name
from worker.tasks.mail_merge.pieces import Boundary, Piece, SectionBreak, text_names
from worker.tasks.mail_merge.sections import Sections, count_pages_by_bookmark, count_pages_of_section, mark_end
from worker.tasks.mail_merge.variables_in_text import Rules, find_variables
from worker.tasks.mail_merge.wordml import Element, remove, serialise, w

#: Far from the ids of any body, so that a header's drawings never meet those of a letter.
_HEADER_IDS = 0x40000000
_NOTE_IDS = 0x10000000
_BODY_IDS = 1


@dataclass(frozen=True, kw_only=True)
class Header:
    """A header or footer. One without variables is shared by all letters."""

    identifier: str  #: relationship id in the template
    part: str
    kind: str  #: header or footer
    pieces: list[Piece]
    names: tuple[str, ...]
    counts_pages: bool = False  #: it differs between letters even if their values do not

    @property
    def is_shared(self) -> bool:
        return not self.names and not self.counts_pages


@dataclass(kw_only=True)
class Template:
    """A package whose document is in pieces."""

    package: Package
    opening: list[Piece]  #: of the document, up to the body's first block
    letter: list[Piece]
    section: list[Piece]  #: its properties, which are in `letter`, too, except for the last one
    ends: list[Piece]  #: of body and document
    lists: Lists
    headers: list[Header] = field(default_factory=list)
    names: set[str] = field(default_factory=set)  #: variables in use anywhere
    notes: list[Notes] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)  #: recipients for whom one holds get no letter

    def skips(self, values: Mapping[str, str]) -> bool:
        """True if the template wants no letter to a recipient with these values."""
        return any(condition.holds(values) for condition in self.conditions)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How letters are laid out, apart from what the template says."""

    drop_blank_lines: bool = True
    on_odd_page: bool = False
    alone: bool = False  #: each letter is a document of its own
    for_libreoffice: bool = False  #: it knows fewer fields than Word


def compile_template(path: Path, rules: Rules, layout: Layout) -> Template:
    """Read a .docx and take it apart.

    Raises:
        TaskFailure: It is missing, damaged, or holds something that a merge cannot honour; all unknown variables
            are named at once.
    """
    return _Compiler(Package.open(path), rules, layout).compile(path.name)


class _Compiler:
    def __init__(self, package: Package, rules: Rules, layout: Layout) -> None:
        self._package = package
        self._rules = rules
        self._layout = layout
        self._unknown: set[str] = set()
        self._unsupported: set[str] = set()
        self._skips: list[Condition] = []
        self._notes: list[Notes] = []
        self._is_one_section = True

    def compile(self, file_name: str) -> Template:
        root = self._package.tree(self._package.main)
        body = root.find(w("body"))
        if root.tag != w("document"):
            raise damaged(file_name)
        if body is None or len(body) == 0:
            raise TaskFailure(f"The template {file_name} is empty: there is nothing to merge.")
        sections, heads = Sections.of(body), self._parse_headers()
        if sections.header_ids - heads.keys():
            raise damaged(file_name)
        self._is_one_section = len(sections.properties) == 1
        lists = Lists(self._parse_part("numbering"), self._parse_part("styles"))
        marks = self._mark_body(root, sections, lists)
        headers = [self._compile_header(identifier, head) for identifier, head in heads.items()]
        drawn = sorted(set(variables_in_drawings(self._package, self._rules)))
        self._unsupported |= {f"{name} in a chart or a diagram (a text box can hold it)" for name in drawn}
        self._refuse(file_name)
        _forget_data_source(self._package)
        return self._divide(root, body, lists, marks, headers)

    def _parse_part(self, kind: str) -> Element | None:
        part = self._package.find(kind)
        return self._package.tree(part) if part in self._package.parts else None

    def _parse_headers(self) -> dict[str, Element]:
        relationships = self._package.relationships(self._package.main)
        targets = relationships.targets("header") | relationships.targets("footer")
        return {
            identifier: self._package.tree(self._package.resolve(target)) for identifier, target in targets.items()
        }

    def _mark_body(self, root: Element, sections: Sections, lists: Lists) -> Marks:
        marks = Marks()
        self._clean(root, self._package.main)
        self._mark_notes(root, sections, marks)
        self._mark_variables(root, marks)
        self._count_pages(root, marks)
        make_ids_unique(root, marks, first=_BODY_IDS)
        lists.mark(root, marks)
        sections.start_letters(on_odd_page=self._layout.on_odd_page)
        sections.own_headers(marks)
        sections.add_empty_parts(self._package)
        return marks

    def _clean(self, root: Element, part: str) -> None:
        clean(root)
        unlink(root, self._package.relationships(part))

    def _mark_notes(self, root: Element, sections: Sections, marks: Marks) -> None:
        for kind in KINDS:
            part = self._package.find(f"{kind}s")
            if part not in self._package.parts or not any(True for _ in root.iter(w(f"{kind}Reference"))):
                continue
            notes = self._package.tree(part)
            self._clean(notes, part)
            if not self._layout.alone:
                self._count_notes(kind, sections)
            note_marks = Marks()
            mark_references(root, notes, kind, marks, note_marks)
            self._mark_variables(notes, note_marks)
            make_ids_unique(notes, note_marks, first=_NOTE_IDS)
            opening, letter, ends = _cut(assemble(notes, note_marks))
            self._notes.append(Notes(part=part, opening=opening, letter=letter, ends=ends))

    def _count_notes(self, kind: str, sections: Sections) -> None:
        """Let every letter count its notes from 1, and keep them."""
        # LibreOffice counts through the whole document and, measured, prints its number beside one of ours.
        if self._layout.for_libreoffice:
            self._unsupported.add(f"{kind}s (one PDF would count them from letter to letter: use separate_files)")
        else:
            restart_numbers(sections.properties[0])
            end_with_section(self._package)

    def _mark_variables(self, root: Element, marks: Marks) -> None:
        found = find_variables(root, self._rules)
        self._unknown |= found.unknown
        self._unsupported |= found.refused
        self._skips += found.skips
        mark_texts(root, found, marks, drop_blank_lines=self._layout.drop_blank_lines)

    def _compile_header(self, identifier: str, root: Element) -> Header:
        relationships = self._package.relationships(self._package.main)
        part = self._package.resolve(relationships.target(identifier))
        marks = Marks()
        self._clean(root, part)
        self._mark_variables(root, marks)
        counts_pages = self._count_pages(root, marks)
        make_ids_unique(root, marks, first=_HEADER_IDS)
        pieces = assemble(root, marks)
        return Header(
            identifier=identifier,
            part=part,
            kind="header" if root.tag == w("hdr") else "footer",
            pieces=pieces,
            names=tuple(sorted(text_names(pieces))),
            counts_pages=counts_pages,
        )

    def _count_pages(self, root: Element, marks: Marks) -> bool:
        if self._layout.alone:
            return False
        if self._layout.for_libreoffice:
            return count_pages_by_bookmark(root, marks)
        if self._is_one_section:
            count_pages_of_section(root)
        return False

    def _refuse(self, file_name: str) -> None:
        if self._unknown and self._rules.unknown == "fail":
            raise TaskFailure(
                f"The template {file_name} uses {_listed(self._unknown)}, which is no variable: correct the spelling "
                "(variables are lower case), or merge with unknown_variables set to keep or blank."
            )
        if self._unsupported:
            raise TaskFailure(
                f"The template {file_name} holds {_listed(self._unsupported)}, which this merge cannot fill in "
                "for each recipient: take it out of the template."
            )

    def _divide(self, root: Element, body: Element, lists: Lists, marks: Marks, headers: list[Header]) -> Template:
        section, break_ = body[-1], SectionBreak(pieces=[])
        last = _last_paragraph(body)
        last[0].append(marks.content(break_))
        mark_end(last, marks)
        body.insert(0, marks.content(Boundary()))
        section.addprevious(marks.content(Boundary()))
        section.addnext(marks.content(Boundary()))
        opening, letter, properties, ends = _cut(assemble(root, marks))
        break_.pieces.extend(properties)
        return Template(
            package=self._package,
            opening=opening,
            letter=letter,
            section=properties,
            ends=ends,
            lists=lists,
            headers=headers,
            notes=self._notes,
            names=text_names(letter).union(
                *(text_names(notes.letter) for notes in self._notes),
                *(header.names for header in headers),
                *(condition.names for condition in self._skips),
            ),
            conditions=self._skips,
        )


def _last_paragraph(body: Element) -> Element:
    """Return the letter's last paragraph, with its properties: they carry the section's between letters."""
    last = body[-2] if len(body) > 1 else None
    if last is None or last.tag != w("p") or last.find(f"{w('pPr')}/{w('sectPr')}") is not None:
        last = _tiny_paragraph()
        body[-1].addprevious(last)
    elif last.find(w("pPr")) is None:
        last.insert(0, etree.Element(w("pPr")))
    return last


def _tiny_paragraph() -> Element:
    """Make a paragraph too small to open a page of its own: a table at the end cannot carry a section."""
    paragraph = etree.Element(w("p"))
    properties = etree.SubElement(paragraph, w("pPr"))
    spacing = {"before": "0", "after": "0", "line": "20", "lineRule": "exact"}
    etree.SubElement(properties, w("spacing"), {w(name): value for name, value in spacing.items()})
    etree.SubElement(etree.SubElement(properties, w("rPr")), w("sz"), {w("val"): "2"})
    return paragraph


def _cut(pieces: list[Piece]) -> list[list[Piece]]:
    stretches: list[list[Piece]] = [[]]
    for piece in pieces:
        if isinstance(piece, Boundary):
            stretches.append([])
        else:
            stretches[-1].append(piece)
    return stretches


def _forget_data_source(package: Package) -> None:
    """Take out the data source of Word's own mail merge, or Word would ask for it on opening."""
    part = package.find("settings")
    if part is None or part not in package.parts:
        return
    root = package.tree(part)
    for element in list(root.iter(w("mailMerge"))):
        remove(element)
    package.parts[part] = serialise(root)
    relationships = package.relationships(part)
    for kind in ("mailMergeSource", "mailMergeHeaderSource", "mailMergeRecipientData"):
        relationships.drop(kind)
    if len(relationships.root):
        package.store_relationships(part, relationships)
    else:
        package.parts.pop(relationships_name(part), None)


def _listed(names: Iterable[str]) -> str:
    *others, last = sorted(names)
    return f"{', '.join(others)} and {last}" if others else last
