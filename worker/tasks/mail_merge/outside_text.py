"""Variables where none can be filled in: in the address of a link, and in the words of a chart or a diagram."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from worker.tasks.mail_merge.package import Package, Relationships
from worker.tasks.mail_merge.pieces import CANDIDATE
from worker.tasks.mail_merge.variables_in_text import Rules, read_variable
from worker.tasks.mail_merge.wordml import Element, R, unwrap, w

_DRAWN = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_DRAWINGS = ("/charts/", "/diagrams/")


def unlink(root: Element, relationships: Relationships) -> None:
    """Turn links into plain text whose address holds a variable: it would lead all recipients to the same nowhere."""
    for link in list(root.iter(w("hyperlink"))):
        if CANDIDATE.search(unquote(relationships.address(link.get(f"{{{R}}}id", "")))):
            unwrap(link)


def variables_in_drawings(package: Package, rules: Rules) -> Iterator[str]:
    """Iterate over the variables in charts and diagrams, which one file holds for all letters."""
    for part in [part for part in package.parts if part.endswith(".xml") and any(at in part for at in _DRAWINGS)]:
        for paragraph in package.tree(part).iter(f"{_DRAWN}p"):
            words = "".join(text.text or "" for text in paragraph.iter(f"{_DRAWN}t"))
            yield from (match[0] for match in CANDIDATE.finditer(words) if read_variable(match[1], rules))
