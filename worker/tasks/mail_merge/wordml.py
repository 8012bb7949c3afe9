"""WordprocessingML: names, the order its elements must keep, and the few tree operations a merge needs."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import TypeAlias

from lxml import etree

Element: TypeAlias = etree._Element  # lxml names the class of its elements with an underscore

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WP = "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"
XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
#: ISO 29500 "strict" documents use other namespaces; Word writes them only on demand.
STRICT_W = "http://purl.oclc.org/ooxml/wordprocessingml/main"

_SECTION_ORDER = (
    "headerReference", "footerReference", "footnotePr", "endnotePr", "type", "pgSz", "pgMar", "paperSrc",
    "pgBorders", "lnNumType", "pgNumType", "cols", "formProt", "vAlign", "noEndnote", "titlePg", "textDirection",
    "bidi", "rtlGutter", "docGrid", "printerSettings", "sectPrChange",
)  # fmt: skip


def w(name: str) -> str:
    return f"{{{W}}}{name}"


class MalformedPart(Exception):
    """A part is no well-formed XML, or declares a document type, which no part of a .docx may."""


def parse(data: bytes) -> Element:
    """Parse a part. Entities and the network are off: a template is somebody else's file.

    Raises:
        MalformedPart: It cannot be read.
    """
    # Comments and instructions would end a text in its middle; ours are put in later.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise MalformedPart(str(error)) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedPart("a document type is declared")
    return root


def serialise(root: Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def own_descendants(paragraph: Element, *names: str) -> Iterator[Element]:
    """Iterate over elements that belong to this paragraph, not to one in a text box inside it."""
    for element in paragraph.iter(*(w(name) for name in names)):
        if next(element.iterancestors(w("p")), None) is paragraph:
            yield element


def remove(element: Element) -> None:
    """Take an element out and keep the text behind it."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        previous = element.getprevious()
        if previous is None:
            parent.text = (parent.text or "") + element.tail
        else:
            previous.tail = (previous.tail or "") + element.tail
    parent.remove(element)


def unwrap(element: Element) -> None:
    """Put an element's children in its place."""
    for child in list(element):
        element.addprevious(child)
    remove(element)


def explode(run: Element) -> None:
    """Give each child of a run a run of its own, so that one of them can be replaced without its neighbours."""
    children = [child for child in run if child.tag != w("rPr")]
    for child in reversed(children[1:]):
        alone = new_run(run)
        alone.append(child)
        run.addnext(alone)


def new_run(like: Element) -> Element:
    """Make an empty run that looks like another."""
    run = etree.Element(w("r"))
    properties = like.find(w("rPr"))
    if properties is not None:
        run.append(deepcopy(properties))
    return run


def new_text(content: str) -> Element:
    text = etree.Element(w("t"))
    text.set(XML_SPACE, "preserve")
    text.text = content
    return text


def section_child(section: Element, name: str) -> Element:
    """Find a section's property, or add it where the schema wants it."""
    found = section.find(w(name))
    if found is not None:
        return found
    child = etree.Element(w(name))
    before = [other for other in section if _rank(other) <= _SECTION_ORDER.index(name)]
    section.insert(len(before), child)
    return child


def _rank(property_: Element) -> int:
    """Where a section's property stands; those of later releases of Word are at the end."""
    name = etree.QName(property_)
    known = name.namespace == W and name.localname in _SECTION_ORDER
    return _SECTION_ORDER.index(name.localname) if known else len(_SECTION_ORDER)


def number_in(element: Element, attribute: str = "val") -> int:
    """Read a whole number; 0 where there is none, or something else."""
    try:
        return int(element.get(w(attribute), "0"))
    except ValueError:
        return 0
