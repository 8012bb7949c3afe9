"""A .docx as a package: parts, relationships between them, content types. Nothing here knows what a letter is."""

from __future__ import annotations

import posixpath
import zipfile
from dataclasses import dataclass
from pathlib import Path
from zlib import error as ZlibError  # noqa: N812 - the library names its exception like a function

from lxml import etree

from batchtask.definitions import TaskFailure
from worker.tasks.mail_merge.wordml import STRICT_W, Element, MalformedPart, parse, serialise

RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
CONTENT_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_TYPES_PART = "[Content_Types].xml"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml."
_RELATIONSHIPS_TYPE = "application/vnd.openxmlformats-package.relationships+xml"
#: A guess at what no letter needs; it keeps a zip bomb from filling the worker's memory.
_MOST_BYTES = 256 * 1024 * 1024


@dataclass
class Relationships:
    """The `.rels` of one part."""

    root: Element

    def targets(self, kind: str) -> dict[str, str]:
        """Return targets by id of all relationships of a kind, such as `header`."""
        return {
            row.get("Id", ""): row.get("Target", "")
            for row in self.root
            if row.get("Type", "").endswith(f"/relationships/{kind}") and row.get("TargetMode") != "External"
        }

    def target(self, identifier: str) -> str:
        return next(row.get("Target", "") for row in self.root if row.get("Id") == identifier)

    def address(self, identifier: str) -> str:
        """Return where a link leads that leaves the document; "" for all else."""
        rows = (row for row in self.root if row.get("Id") == identifier and row.get("TargetMode") == "External")
        return next((row.get("Target", "") for row in rows), "")

    def add(self, identifier: str, kind: str, target: str) -> None:
        self.root.append(relationship(identifier, kind, target))

    def drop(self, kind: str) -> None:
        for row in [row for row in self.root if row.get("Type", "").endswith(f"/relationships/{kind}")]:
            self.root.remove(row)


def relationship(identifier: str, kind: str, target: str) -> Element:
    attributes = {"Id": identifier, "Type": _OFFICE + kind, "Target": target}
    return etree.Element(f"{{{RELATIONSHIPS}}}Relationship", attributes)


@dataclass
class Package:
    """The parts of a .docx by name; a merge changes them in memory and writes its own file."""

    parts: dict[str, bytes]
    file_name: str
    main: str  #: name of the document part
    content_types: Element

    @classmethod
    def open(cls, path: Path) -> Package:
        """Read a template.

        Raises:
            TaskFailure: There is none, it is not a .docx, or it is damaged.
        """
        parts = _read_parts(path)
        try:
            content_types = parse(parts.pop(_TYPES_PART))
            main = _main_part(parts)
            document = parse(parts[main])
        except (KeyError, StopIteration, MalformedPart) as error:
            raise damaged(path.name) from error
        if etree.QName(document).namespace == STRICT_W:
            raise TaskFailure(f'The template {path.name} is a "Strict Open XML" file: save it as an ordinary .docx.')
        package = cls(parts=parts, file_name=path.name, main=main, content_types=content_types)
        package._become_document(path)
        return package

    def tree(self, part: str) -> Element:
        """Parse a part.

        Raises:
            TaskFailure: It is missing or damaged.
        """
        try:
            return parse(self.parts[part])
        except (KeyError, MalformedPart) as error:
            raise damaged(self.file_name) from error

    def relationships(self, part: str) -> Relationships:
        name = relationships_name(part)
        if name not in self.parts:
            return Relationships(etree.Element(f"{{{RELATIONSHIPS}}}Relationships"))
        return Relationships(self.tree(name))

    def store_relationships(self, part: str, relationships: Relationships) -> None:
        self.parts[relationships_name(part)] = serialise(relationships.root)

    def find(self, kind: str) -> str | None:
        """Return the name of the one part of a kind that the document points at."""
        targets = self.relationships(self.main).targets(kind)
        return next((self.resolve(target) for target in targets.values()), None)

    def resolve(self, target: str) -> str:
        """Turn a target of the document's relationships into a part name."""
        if target.startswith("/"):
            return target[1:]
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.main), target))

    def beside_main(self, name: str) -> str:
        return posixpath.join(posixpath.dirname(self.main), name)

    def content_type(self, part: str, kind: str) -> None:
        """Say what a new part is."""
        attributes = {"PartName": f"/{part}", "ContentType": f"{_MAIN}{kind}+xml"}
        self.content_types.append(etree.Element(f"{{{CONTENT_TYPES}}}Override", attributes))

    def _become_document(self, path: Path) -> None:
        """Let a .dotx count as a document; refuse macros, which a .docx must not hold."""
        for override in self.content_types:
            kind = override.get("ContentType", "")
            if "macroEnabled" in kind:
                raise TaskFailure(f"The template {path.name} holds macros: save it as an ordinary .docx.")
            override.set(
                "ContentType", kind.replace("wordprocessingml.template.main", "wordprocessingml.document.main")
            )


def damaged(file_name: str) -> TaskFailure:
    """Say so of a template."""
    return TaskFailure(
        f"The template {file_name} is damaged, or of another program: open it in Word and save it as .docx."
    )


def relationships_name(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _read_parts(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise TaskFailure(f"The template {path.name} is too large: it may unpack to 256 MB at most.")
            return {entry.filename: archive.read(entry) for entry in entries}
    except FileNotFoundError as error:
        raise TaskFailure(
            f"There is no template {path}: check the path, and that the worker can reach it."
        ) from error
    except PermissionError as error:
        raise TaskFailure(f"The worker may not read the template {path}: give it the right to.") from error
    except (zipfile.BadZipFile, ZlibError, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise TaskFailure(
            f"The template {path.name} is not a .docx or is damaged: open it in Word and save it as .docx, "
            "without a password."
        ) from error


def _main_part(parts: dict[str, bytes]) -> str:
    targets = Relationships(parse(parts["_rels/.rels"])).targets("officeDocument")
    return next(iter(targets.values())).lstrip("/")
