"""Letters: rendered one by one, later put together to one .docx. Memory holds one letter, whatever their number."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import IO

from worker.tasks.mail_merge.drafts import Entry, HeaderPart
from worker.tasks.mail_merge.package import Relationships, relationships_name
from worker.tasks.mail_merge.pieces import Letter, render
from worker.tasks.mail_merge.template import Header, Template
from worker.tasks.mail_merge.wordml import serialise, w

FAST = 1  # measured: level 6 takes twice the time for a file a tenth smaller
Values = Mapping[str, str]


class Letters:
    """Renders letters and keeps what must differ between them; a document can be made of them at any time.

    Args:
        template: Compiled; its package is changed.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        self._package = template.package
        self._headers = _Headers(template)
        self.count = 0

    def render(self, values: Values, contact_id: int = 0, person_id: int = 0) -> Entry:
        """Make the next letter."""
        letter = Letter(index=self.count, values=values)
        letter.parts, new = self._headers.of(letter)
        self.count += 1
        return render_letter(self._template, letter, (contact_id, person_id), headers=tuple(new))

    def restore(self, entry: Entry) -> None:
        """Go on behind a letter that was rendered by an earlier attempt."""
        for part in entry.headers:
            self._headers.register(part)
        self.count += 1

    def write(self, path: Path, entries: Callable[[], Iterable[Entry]]) -> None:
        """Write the document.

        Args:
            path: Of the new file.
            entries: Gives all letters rendered so far, in order, each time it is called; they are asked for twice.
        """
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=FAST) as archive:
            self._write_fixed_parts(archive)
            with archive.open(self._package.main, "w", force_zip64=True) as document:
                write_body(document, self._template, entries())
            write_notes(archive, self._template, entries)
            for name, data in self._headers.parts(entries()):
                archive.writestr(name, data)
            self._write_numbering(archive)
            main = self._package.main
            archive.writestr(relationships_name(main), serialise(self._headers.relationships.root))
            archive.writestr("[Content_Types].xml", serialise(self._package.content_types))

    def _write_fixed_parts(self, archive: zipfile.ZipFile) -> None:
        late = {self._package.main, relationships_name(self._package.main), self._package.find("numbering")}
        late |= {notes.part for notes in self._template.notes}
        # Programs that guess a file's kind by its first entry look for this one.
        parts = self._package.parts | self._headers.shared()
        for name in sorted(parts, key=lambda name: name != "_rels/.rels"):
            if name not in late:
                archive.writestr(name, parts[name])

    def _write_numbering(self, archive: zipfile.ZipFile) -> None:
        name = self._package.find("numbering")
        if name is None or name not in self._package.parts:
            return
        root = self._package.tree(name)
        following = root.find(w("numIdMacAtCleanup"))
        for definition in self._template.lists.definitions(self.count):
            root.append(definition)
        if following is not None:
            root.append(following)
        archive.writestr(name, serialise(root))


def render_letter(
    template: Template,
    letter: Letter,
    identity: tuple[int, int],
    *,
    headers: tuple[HeaderPart, ...],
    text: str = "",
) -> Entry:
    """Make what is kept of a letter."""
    xml = render(template.letter, letter)
    section = render(template.section, letter)
    return Entry(
        *identity,
        xml=xml,
        section_at=xml.rindex(section),  # in the last paragraph
        section_bytes=len(section),
        headers=headers,
        notes=tuple(render(notes.letter, letter) for notes in template.notes),
        text=text,
    )


def write_notes(archive: zipfile.ZipFile, template: Template, entries: Callable[[], Iterable[Entry]]) -> None:
    """Write the parts that hold footnotes and endnotes."""
    same = Letter(index=0, values={})
    for place, notes in enumerate(template.notes):
        with archive.open(notes.part, "w", force_zip64=True) as file:
            file.write(render(notes.opening, same))
            for entry in entries():
                file.write(entry.notes[place])
            file.write(render(notes.ends, same))


def write_body(document: IO[bytes], template: Template, entries: Iterable[Entry]) -> None:
    """Write the document's main part.

    A section's properties stand in the letter's last paragraph; those of the last letter at the end of the body.
    """
    document.write(render(template.opening, Letter(index=0, values={})))
    last: Entry | None = None
    for entry in entries:
        if last is not None:
            document.write(last.xml)
        last = entry
    assert last is not None
    end = last.section_at + last.section_bytes
    document.write(last.xml[: last.section_at])
    document.write(last.xml[end:])
    document.write(last.xml[last.section_at : end])
    document.write(render(template.ends, Letter(index=0, values={})))


class _Headers:
    """Headers and footers of single letters: as many as there are different values, not as many as letters."""

    def __init__(self, template: Template) -> None:
        self._package = template.package
        self._headers = [header for header in template.headers if not header.is_shared]
        self._shared = [header for header in template.headers if header.is_shared]
        self.relationships: Relationships = self._package.relationships(self._package.main)
        self._fixed = {str(row.get("Id")): str(row.get("Id")) for row in self.relationships.root}
        self._known: dict[bytes, str] = {}  #: relationship id by what the part shows
        self._names: list[str] = []  #: of the parts, in the order in which letters needed them

    def of(self, letter: Letter) -> tuple[dict[str, str], list[HeaderPart]]:
        """Return the relationship ids that this letter refers to, and the parts that are new with it."""
        new: list[HeaderPart] = []
        found = dict(self._fixed)
        for place, header in enumerate(self._headers):
            digest = _digest(header, letter)
            if digest not in self._known:
                data = render(header.pieces, replace(letter, copy=len(self._names) + 1))
                new.append(HeaderPart(place, digest, data))
                self.register(new[-1])
            found[header.identifier] = self._known[digest]
        return found, new

    def register(self, part: HeaderPart) -> None:
        """Give a part its name, and the document a relationship to it."""
        header = self._headers[part.header]
        number = len(self._names) + 1
        stem, suffix = posixpath.splitext(header.part)
        name, identifier = f"{stem}_letter{number}{suffix}", f"{header.identifier}_letter{number}"
        self._names.append(name)
        self._known[part.digest] = identifier
        self.relationships.add(identifier, header.kind, f"/{name}")
        self._package.content_type(name, header.kind)

    def shared(self) -> dict[str, bytes]:
        """Return the parts that serve all letters."""
        same = Letter(index=0, values={})
        return {header.part: render(header.pieces, same) for header in self._shared}

    def parts(self, entries: Iterable[Entry]) -> Iterator[tuple[str, bytes]]:
        """Iterate over the parts of single letters."""
        if not self._names:
            return
        parts = (part for entry in entries for part in entry.headers)
        for name, part in zip(self._names, parts, strict=True):
            yield name, part.data
            # The copy shows the same pictures, so it needs the same relationships.
            if relationships := self._package.parts.get(relationships_name(self._headers[part.header].part)):
                yield relationships_name(name), relationships


def _digest(header: Header, letter: Letter) -> bytes:
    number = str(letter.index) if header.counts_pages else ""
    shown = "\0".join((header.identifier, number, *(letter.values[name] for name in header.names)))
    return blake2b(shown.encode("utf-8", "surrogatepass"), digest_size=16).digest()
