"""Writing the merged .docx as a stream: memory holds one letter, whatever their number.

A zip takes one entry at a time, so what comes to light while the document is written (headers of single letters)
waits in a temporary file and is written after it.
"""

from __future__ import annotations

import posixpath
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import IO

from worker.tasks.mail_merge.package import Relationships, relationships_name
from worker.tasks.mail_merge.pieces import Letter, render
from worker.tasks.mail_merge.template import Header, Template
from worker.tasks.mail_merge.wordml import parse, serialise, w

_FAST = 1  # measured: level 6 takes twice the time for a file a tenth smaller
_SPOOL_BYTES = 4 * 1024 * 1024
Values = Mapping[str, str]


class LettersFile:
    """A .docx that grows by one letter at a time; it is a document only after `close`."""

    def __init__(self, path: Path, template: Template) -> None:
        self._template = template
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST)
        self._package = template.package
        self._headers = _Headers(template)
        self.count = 0
        self._write_fixed_parts()
        self._document = self._archive.open(self._package.main, "w")
        self._document.write(render(template.opening, Letter(index=0, is_last=False, values={})))

    def add(self, values: Values, *, is_last: bool) -> None:
        letter = self._letter(values, is_last=is_last)
        self._document.write(render(self._template.letter, letter))
        if is_last:
            self._document.write(render(self._template.closing, letter))
        self.count += 1

    def close(self) -> None:
        """Write what is only known now: the headers of single letters, and the lists they use."""
        self._document.close()
        for name, data in self._headers.parts():
            self._archive.writestr(name, data)
        self._write_numbering()
        main = self._package.main
        self._archive.writestr(relationships_name(main), serialise(self._headers.relationships.root))
        self._archive.writestr("[Content_Types].xml", serialise(self._package.content_types))
        self._archive.close()

    def abandon(self) -> None:
        """Let go of the file; what was written so far is no document."""
        self._document.close()
        self._archive.close()

    def __enter__(self) -> LettersFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._headers.close()
        if kind is not None:
            self.abandon()

    def _letter(self, values: Values, *, is_last: bool) -> Letter:
        letter = Letter(index=self.count, is_last=is_last, values=values)
        letter.parts = self._headers.of(letter)
        return letter

    def _write_fixed_parts(self) -> None:
        late = {self._package.main, relationships_name(self._package.main), self._package.find("numbering")}
        # Programs that guess a file's kind by its first entry look for this one.
        parts = self._package.parts | self._headers.shared()
        for name in sorted(parts, key=lambda name: name != "_rels/.rels"):
            if name not in late:
                self._archive.writestr(name, parts[name])

    def _write_numbering(self) -> None:
        name = self._package.find("numbering")
        if name is None or name not in self._package.parts:
            return
        root = parse(self._package.parts[name])
        following = root.find(w("numIdMacAtCleanup"))
        for definition in self._template.lists.definitions(self.count):
            root.append(definition)
        if following is not None:
            root.append(following)
        self._archive.writestr(name, serialise(root))


class _Headers:
    """Headers and footers of single letters: as many as there are different values, not as many as letters."""

    def __init__(self, template: Template) -> None:
        self._package = template.package
        self._headers = [header for header in template.headers if not header.is_shared]
        self._shared = [header for header in template.headers if header.is_shared]
        self.relationships: Relationships = self._package.relationships(self._package.main)
        self._fixed = {str(row.get("Id")): str(row.get("Id")) for row in self.relationships.root}
        self._known: dict[bytes, str] = {}  #: relationship id by what the part shows
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - closed by `close`
        self._entries: list[tuple[Header, str, int]] = []

    def of(self, letter: Letter) -> dict[str, str]:
        """Return the relationship ids that this letter refers to."""
        return self._fixed | {header.identifier: self._find(header, letter) for header in self._headers}

    def shared(self) -> dict[str, bytes]:
        """Return the parts that serve all letters."""
        same = Letter(index=0, is_last=False, values={})
        return {header.part: render(header.pieces, same) for header in self._shared}

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Iterate over the parts of single letters."""
        self._spool.seek(0)
        for header, name, size in self._entries:
            yield name, self._spool.read(size)
            # The copy shows the same pictures, so it needs the same relationships.
            if relationships := self._package.parts.get(relationships_name(header.part)):
                yield relationships_name(name), relationships

    def close(self) -> None:
        self._spool.close()

    def _find(self, header: Header, letter: Letter) -> str:
        number = str(letter.index) if header.counts_pages else ""
        shown = "\0".join((header.identifier, number, *(letter.values[name] for name in header.names)))
        digest = blake2b(shown.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest not in self._known:
            self._known[digest] = self._add(header, letter)
        return self._known[digest]

    def _add(self, header: Header, letter: Letter) -> str:
        number = len(self._entries) + 1
        stem, suffix = posixpath.splitext(header.part)
        name, identifier = f"{stem}_letter{number}{suffix}", f"{header.identifier}_letter{number}"
        data = render(header.pieces, replace(letter, copy=number))
        self._spool.write(data)
        self._entries.append((header, name, len(data)))
        self.relationships.add(identifier, header.kind, f"/{name}")
        self._package.content_type(name, header.kind)
        return identifier


def write_letters(path: Path, template: Template, letters: Iterable[Values]) -> int:
    """Write one letter per set of values and return their number; with none, what is at `path` is no document."""
    with LettersFile(path, template) as file:
        for values, is_last in _mark_last(letters):
            file.add(values, is_last=is_last)
        if file.count:
            file.close()
        else:
            file.abandon()
        return file.count


def _mark_last(letters: Iterable[Values]) -> Iterator[tuple[Values, bool]]:
    """Tell the last one as it comes: its section closes the document, so it must be known while it is written."""
    waiting: Values | None = None
    for values in letters:
        if waiting is not None:
            yield waiting, False
        waiting = values
    if waiting is not None:
        yield waiting, True
