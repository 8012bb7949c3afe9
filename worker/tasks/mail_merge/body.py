"""Making a document's body ready to be written many times: nothing left that may stand in a document only once."""

from __future__ import annotations

from collections import defaultdict

from lxml import etree

from worker.tasks.mail_merge.compile import Marks
from worker.tasks.mail_merge.pieces import BookmarkName, Number
from worker.tasks.mail_merge.wordml import WP, Element, remove, unwrap, w

_DELETED = ("del", "moveFrom", "moveFromRangeStart", "moveFromRangeEnd", "moveToRangeStart", "moveToRangeEnd",
            "cellDel", "customXmlDelRangeStart", "customXmlDelRangeEnd")  # fmt: skip
_INSERTED = ("ins", "moveTo")
_GONE = ("del", "moveFrom")  # as a mark of a row, or of a paragraph's end
_CHANGES = ("rPrChange", "pPrChange", "sectPrChange", "tblPrChange", "trPrChange", "tcPrChange", "tblGridChange",
            "tblPrExChange", "numberingChange", "cellIns", "cellMerge")  # fmt: skip
_COMMENTS = ("commentRangeStart", "commentRangeEnd", "commentReference", "annotationRef")
_NOISE = ("proofErr", "lastRenderedPageBreak", "permStart", "permEnd", "smartTagPr", "customXmlPr")
_WRAPPERS = ("smartTag", "customXml")
#: Word's own marks on paragraphs and runs (who saved when); they must be unique and are never missed.
_VOLATILE = ("rsid", "paraId", "textId", "anchorId", "editId")
_CURSOR = "_GoBack"


def clean(root: Element) -> None:
    """Accept tracked changes, and drop comments, the editor's private marks, and what ties text to other places."""
    _remove_rows(root)
    _join_paragraphs(root)
    for name in _DELETED + _CHANGES + _COMMENTS + _NOISE:
        for element in list(root.iter(w(name))):
            remove(element)
    for name in _INSERTED:
        for element in list(root.iter(w(name))):
            _accept(element)
    for name in _WRAPPERS:
        for element in list(root.iter(w(name))):
            unwrap(element)
    _free_controls(root)
    _forget_cursor(root)
    for element in root.iter(etree.Element):
        for attribute in [name for name in element.attrib if _is_volatile(str(name))]:
            del element.attrib[attribute]


def _remove_rows(root: Element) -> None:
    for mark in [mark for name in _GONE for mark in root.iterfind(f".//{w('trPr')}/{w(name)}")]:
        row = next(mark.iterancestors(w("tr")))
        table = row.getparent()
        remove(row)
        if table is not None and table.find(w("tr")) is None:
            remove(table)


def _join_paragraphs(root: Element) -> None:
    """A paragraph whose end was deleted goes on in the one behind it, and looks like that one."""
    for mark in [mark for name in _GONE for mark in root.iterfind(f".//{w('pPr')}/{w('rPr')}/{w(name)}")]:
        paragraph = next(mark.iterancestors(w("p")))
        following = paragraph.getnext()
        if following is None or following.tag != w("p") or paragraph.find(f"{w('pPr')}/{w('sectPr')}") is not None:
            continue
        position = 1 if following.find(w("pPr")) is not None else 0
        for child in reversed([child for child in paragraph if child.tag != w("pPr")]):
            following.insert(position, child)
        remove(paragraph)


def _free_controls(root: Element) -> None:
    """Untie content controls from document properties, with which Word would replace a recipient's values."""
    for binding in [child for child in root.iterfind(f".//{w('sdtPr')}/*") if _local_name(child) == "dataBinding"]:
        remove(binding)


def _forget_cursor(root: Element) -> None:
    cursors = {mark.get(w("id")) for mark in root.iter(w("bookmarkStart")) if mark.get(w("name")) == _CURSOR}
    for mark in list(root.iter(w("bookmarkStart"), w("bookmarkEnd"))):
        if mark.get(w("id")) in cursors:
            remove(mark)


def _local_name(element: Element) -> str:
    return etree.QName(element).localname


def _accept(element: Element) -> None:
    """Keep what was inserted; in run properties the mark stands for the paragraph's end and holds nothing."""
    parent = element.getparent()
    if parent is not None and parent.tag in {w("rPr"), w("trPr")}:
        parent.remove(element)
    else:
        unwrap(element)


def _is_volatile(attribute: str) -> bool:
    return etree.QName(attribute).localname.startswith(_VOLATILE)


def make_ids_unique(root: Element, marks: Marks, *, first: int) -> None:
    """Give drawings, bookmarks and content controls ids that differ in every copy of this tree."""
    drawings = list(root.iter(f"{{{WP}}}docPr"))
    for offset, drawing in enumerate(drawings):
        drawing.set("id", marks.attribute(Number(first=first, count=len(drawings), offset=offset)))
    controls = list(root.iterfind(f".//{w('sdtPr')}/{w('id')}"))
    for offset, control in enumerate(controls):
        control.set(w("val"), marks.attribute(Number(first=first, count=len(controls), offset=offset)))
    _make_bookmarks_unique(root, marks, first)


def _make_bookmarks_unique(root: Element, marks: Marks, first: int) -> None:
    by_id: dict[str, list[Element]] = defaultdict(list)
    for element in root.iter(w("bookmarkStart"), w("bookmarkEnd")):
        by_id[element.get(w("id"), "")].append(element)
    names: set[str] = set()
    for offset, elements in enumerate(by_id.values()):
        number = marks.attribute(Number(first=first, count=len(by_id), offset=offset))
        for element in elements:
            element.set(w("id"), number)
            if name := element.get(w("name")):
                names.add(name)
                element.set(w("name"), marks.attribute(BookmarkName(original=name)))
    _rename_references(root, marks, names)


def _rename_references(root: Element, marks: Marks, names: set[str]) -> None:
    for link in root.iter(w("hyperlink")):
        if (name := link.get(w("anchor"), "")) in names:
            link.set(w("anchor"), marks.attribute(BookmarkName(original=name)))
    for code in root.iter(w("instrText")):
        words = (code.text or "").split(" ")
        for position, word in enumerate(words):
            if word in names:
                code.text = " ".join(words[:position]) + " "
                mark = marks.content(BookmarkName(original=word))
                code.append(mark)
                mark.tail = " " + " ".join(words[position + 1 :])
                break
