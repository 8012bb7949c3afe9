"""Templates made in a test, a merge without a CRM, and a context that runs task code without a worker."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from lxml import etree

from batchtask.identifiers import TaskId
from worker.tasks.mail_merge.letters import Letters
from worker.tasks.mail_merge.template import Layout, compile_template
from worker.tasks.mail_merge.variables_in_text import Rules

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
NAMES = {"name", "attn", "numb", "fad1", "pad2", "dept", "cnt?"}
TASK_ID = TaskId("01890000-0000-7000-8000-00000000002a")
NAMESPACES = f'xmlns:w="{W}" xmlns:r="{R}"'


def paragraph(*texts: str) -> str:
    """A paragraph with one run per text."""
    runs = "".join(f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>' for text in texts)
    return f"<w:p>{runs}</w:p>"


def field_runs(instruction: str, shown: str = "«x»") -> str:
    """A complex field, as Word writes it."""
    character = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    return (
        character.format("begin")
        + f"<w:r><w:instrText> {instruction} </w:instrText></w:r>"
        + character.format("separate")
        + f"<w:r><w:t>{shown}</w:t></w:r>"
        + character.format("end")
    )


def write_template(folder: Path, body: str, *, section: str = "<w:sectPr/>", **parts: str) -> Path:
    """Write a .docx with this body; `header1="<w:p/>"` and the like add parts with relationship ids `rIdheader1`."""
    path = folder / "template.docx"
    kinds = {name: name.rstrip("0123456789") for name in parts}
    relationships = "".join(
        f'<Relationship Id="rId{name}" Type="{R}/{kind}" Target="{name}.xml"/>' for name, kind in kinds.items()
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{PACKAGE}/content-types"/>')
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{R}/officeDocument" Target="word/document.xml"/></Relationships>',
        )
        archive.writestr(
            "word/_rels/document.xml.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships">{relationships}</Relationships>',
        )
        archive.writestr(
            "word/document.xml", f"<w:document {NAMESPACES}><w:body>{body}{section}</w:body></w:document>"
        )
        for name, kind in kinds.items():
            tag = {"header": "hdr", "footer": "ftr"}.get(kind, kind)
            archive.writestr(f"word/{name}.xml", f"<w:{tag} {NAMESPACES}>{parts[name]}</w:{tag}>")
    return path


class Merged:
    """A merged document, opened."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            self.parts = {name: archive.read(name) for name in archive.namelist()}
            assert archive.testzip() is None
        self.document = etree.fromstring(self.parts["word/document.xml"])

    @property
    def paragraphs(self) -> list[str]:
        return [text_of(found) for found in self.document.iter(f"{{{W}}}p")]

    @property
    def sections(self) -> list[etree._Element]:
        return list(self.document.iter(f"{{{W}}}sectPr"))

    def part_of(self, identifier: str) -> str:
        """Return the text of a header or footer by its relationship id."""
        rows = etree.fromstring(self.parts["word/_rels/document.xml.rels"])
        target = next(row.get("Target") for row in rows if row.get("Id") == identifier)
        name = target[1:] if target.startswith("/") else f"word/{target}"
        return text_of(etree.fromstring(self.parts[name]))

    def headers(self) -> list[str]:
        """Return the text of each section's first header or footer reference."""
        return [self.part_of(section[0].get(f"{{{R}}}id", "")) for section in self.sections]


def text_of(element: etree._Element) -> str:
    """Read text as Word shows it: breaks and tabs count."""
    characters = {f"{{{W}}}br": "\n", f"{{{W}}}tab": "\t"}
    return "".join(
        characters.get(str(found.tag), found.text or "" if found.tag == f"{{{W}}}t" else "")
        for found in element.iter(etree.Element)
    )


def merge(
    template: Path,
    recipients: Iterable[Mapping[str, str]],
    *,
    layout: Layout | None = None,
    unknown: str = "fail",
    case_sensitive: bool = False,
) -> Merged:
    """Merge a template with values, without a CRM."""
    rules = Rules(known=NAMES, unknown=unknown, case_sensitive=case_sensitive)
    compiled = compile_template(template, rules, layout or Layout())
    target = template.with_name("merged.docx")
    letters = Letters(compiled)
    entries = [letters.render(defaultdict(str, values)) for values in recipients]
    letters.write(target, lambda: entries)
    return Merged(target)
