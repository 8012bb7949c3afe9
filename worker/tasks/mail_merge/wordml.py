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


def parse(data: bytes) -> Element:
    """Parse a part. Entities and the network are off: a template is somebody else's file.

    Raises:
        etree.XMLSyntaxError: It is no well-formed XML.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    return etree.fromstring(data, parser)


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
    rank = _SECTION_ORDER.index(name)
    before = [other for other in section if _SECTION_ORDER.index(etree.QName(other).localname) <= rank]
    section.insert(len(before), child)
    return child
