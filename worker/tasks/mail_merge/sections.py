"""Sections: each letter starts on a new page, counts its pages from 1 and has headers and footers of its own."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree

from worker.tasks.mail_merge.compile import Marks
from worker.tasks.mail_merge.package import Package
from worker.tasks.mail_merge.pieces import EndMark, Number, PartReference
from worker.tasks.mail_merge.wordml import Element, R, section_child, w

#: Kind of part and relationship id of the empty header and footer that stand where a template has none.
_EMPTY = {"headerReference": ("header", "rIdEmptyHeader"), "footerReference": ("footer", "rIdEmptyFooter")}
_EMPTY_PART = '<w:{0} xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:p/></w:{0}>'
_NUMBER_OF_PAGES = re.compile(r"\bNUMPAGES\b")
_END_IDS = 0x20000000  # far from the ids of any template's bookmarks
_ON_SAME_PAGE = {"continuous", "nextColumn"}
_ID = f"{{{R}}}id"


@dataclass(kw_only=True)
class Sections:
    """The sections of one letter, in order; the last one's properties close the body."""

    properties: list[Element]
    _empty: set[str] = field(default_factory=set)  #: keys of `_EMPTY` that are referred to

    @classmethod
    def of(cls, body: Element) -> Sections:
        last = body.find(w("sectPr"))
        if last is None:
            last = etree.SubElement(body, w("sectPr"))
        return cls(properties=[*(found for found in body.iter(w("sectPr")) if found is not last), last])

    def start_letters(self, *, on_odd_page: bool) -> None:
        """Let the first section open a new page, or a new sheet, and count pages from 1."""
        first = self.properties[0]
        start = section_child(first, "type")
        if on_odd_page:
            start.set(w("val"), "oddPage")
        elif start.get(w("val"), "nextPage") in _ON_SAME_PAGE | {"nextPage"}:
            start.set(w("val"), "nextPage")
        numbers = section_child(first, "pgNumType")
        if numbers.get(w("start")) is None:
            numbers.set(w("start"), "1")

    @property
    def header_ids(self) -> set[str]:
        """Relationship ids of all headers and footers that are referred to."""
        return {reference.get(_ID, "") for section in self.properties for reference in _references(section)}

    def own_headers(self, marks: Marks) -> None:
        """Refer to headers and footers by slots, and cut the inheritance from the letter before."""
        self._cut_inheritance()
        for section in self.properties:
            for reference in _references(section):
                reference.set(_ID, marks.attribute(PartReference(name=reference.get(_ID, ""))))

    def add_empty_parts(self, package: Package) -> None:
        relationships = package.relationships(package.main)
        for name in sorted(self._empty):
            kind, identifier = _EMPTY[name]
            part = package.beside_main(f"empty{kind}.xml")
            package.parts[part] = _EMPTY_PART.format("hdr" if kind == "header" else "ftr").encode()
            package.content_type(part, kind)
            relationships.add(identifier, kind, posixpath.basename(part))
        package.store_relationships(package.main, relationships)

    def _cut_inheritance(self) -> None:
        """A section without a header takes that of the section before, which here is another recipient's."""
        wanted = {_kind(reference) for section in self.properties for reference in _references(section)}
        present = {_kind(reference) for reference in _references(self.properties[0])}
        for name, kind in sorted(wanted - present):
            self._empty.add(name)
            reference = etree.Element(w(name), {w("type"): kind, _ID: _EMPTY[name][1]})
            self.properties[0].insert(_position(self.properties[0], name), reference)


def _references(section: Element) -> Iterable[Element]:
    return section.iter(w("headerReference"), w("footerReference"))


def _kind(reference: Element) -> tuple[str, str]:
    return etree.QName(reference).localname, reference.get(w("type"), "default")


def _position(section: Element, name: str) -> int:
    before = {w("headerReference")} if name == "headerReference" else {w("headerReference"), w("footerReference")}
    return sum(child.tag in before for child in section)


def count_pages_of_section(root: Element) -> None:
    """Let "page 1 of 2" mean the letter, not the whole document: right where a letter is one section."""
    for code in root.iter(w("instrText")):
        code.text = _NUMBER_OF_PAGES.sub("SECTIONPAGES", code.text or "")
    for simple in root.iter(w("fldSimple")):
        simple.set(w("instr"), _NUMBER_OF_PAGES.sub("SECTIONPAGES", simple.get(w("instr"), "")))


def count_pages_by_bookmark(root: Element, marks: Marks) -> bool:
    """Do the same for LibreOffice, which does not know SECTIONPAGES: ask for the page of a mark at the end.

    Returns:
        True if a field was changed, so that every letter needs this part for itself.
    """
    codes = [code for code in root.iter(w("instrText")) if _NUMBER_OF_PAGES.search(code.text or "")]
    for code in codes:
        code.text = " PAGEREF "
        code.append(marks.content(EndMark()))
        code[-1].tail = " "
    simples = [simple for simple in root.iter(w("fldSimple")) if _NUMBER_OF_PAGES.search(simple.get(w("instr"), ""))]
    for simple in simples:
        simple.set(w("instr"), f" PAGEREF {marks.attribute(EndMark())} ")
    return bool(codes or simples)


def mark_end(paragraph: Element, marks: Marks) -> None:
    """Put the bookmark that `count_pages_by_bookmark` asks for at the end of a letter."""
    identifier = marks.attribute(Number(first=_END_IDS, count=1, offset=0))
    start = etree.SubElement(paragraph, w("bookmarkStart"))
    start.set(w("id"), identifier)
    start.set(w("name"), marks.attribute(EndMark()))
    etree.SubElement(paragraph, w("bookmarkEnd"), {w("id"): identifier})
