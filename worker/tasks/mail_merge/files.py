"""A file of its own for each recipient, .docx or PDF, all in one .zip. Memory holds few of them at a time."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import replace
from pathlib import Path

from batchtask.definitions import TaskContext
from worker.tasks.crm.file_names import UniqueNames, safe_name
from worker.tasks.mail_merge.drafts import Entry, HeaderPart
from worker.tasks.mail_merge.letters import FAST, Values, render_letter, write_body, write_notes
from worker.tasks.mail_merge.package import Relationships
from worker.tasks.mail_merge.pdf import convert
from worker.tasks.mail_merge.pieces import Letter, render
from worker.tasks.mail_merge.template import Template
from worker.tasks.mail_merge.variables import FILE_NAME
from worker.tasks.mail_merge.wordml import serialise
from worker.tasks.mail_merge.work import Work

#: Documents that one start of LibreOffice converts; a kill repeats so many. Measured: a start takes about a second, a
#: letter a tenth of that.
_BATCH = 50
_PDFS_START_AT = 5.0  # per cent; measured: a PDF takes about a hundred times as long as its letter
Entries = Callable[[], Iterable[Entry]]


class SeparateFiles:
    """Each letter is a document that knows of no other; see `outputs.Output`."""

    what = "letter"

    def __init__(self, template: Template, made_from: bytes, converter: str) -> None:
        self.made_from = made_from
        self.share = _PDFS_START_AT if converter else 100.0
        self.count = 0
        self._template = template
        self._converter = converter
        self._own = [header for header in template.headers if not header.is_shared]
        self._parts = {header.identifier: header.identifier for header in template.headers}
        self._parts |= {str(row.get("Id")): str(row.get("Id")) for row in self._relationships().root}

    @property
    def names(self) -> Set[str]:
        return self._template.names | {FILE_NAME}

    def skips(self, values: Values) -> bool:
        return self._template.skips(values)

    def make(self, values: Values, identity: tuple[int, int]) -> Entry:
        """Make the next letter. It is the first of its document, so nothing in it needs another number."""
        letter = Letter(index=0, values=values, parts=self._parts)
        headers = tuple(
            HeaderPart(place, b"", render(header.pieces, replace(letter, copy=1)))
            for place, header in enumerate(self._own)
        )
        self.count += 1
        name = safe_name(values[FILE_NAME], otherwise=f"letter {self.count}")
        return render_letter(self._template, letter, identity, headers=headers, text=name)

    def restore(self, entry: Entry) -> None:
        self.count += 1

    def write(self, context: TaskContext, work: Work, entries: Entries) -> Path:
        """Put all files into one archive; PDFs made by an earlier attempt are not made again."""
        path = work.folder / "letters.zip"
        if self._converter:
            self._make_pdfs(context, work, entries)
            files = ((entry.text, entry.pdf) for entry in work.entries() if entry.pdf)
        else:
            files = ((entry.text, document) for entry, document in self._documents(entries()))
        suffix = ".pdf" if self._converter else ".docx"
        names = UniqueNames()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # what is in it is compressed
            for name, data in files:
                context.check_cancelled()
                archive.writestr(names.take(name) + suffix, data)
        return path

    def _documents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes]]:
        """Write each letter into a copy of an archive that holds what all documents share, compressed once."""
        shared = self._shared_parts()
        for entry in entries:
            file = io.BytesIO()
            file.write(shared)
            with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED, compresslevel=FAST) as archive:
                with archive.open(self._template.package.main, "w") as document:
                    write_body(document, self._template, [entry])
                write_notes(archive, self._template, lambda: [entry])  # noqa: B023 - called at once
                for part in entry.headers:
                    archive.writestr(self._own[part.header].part, part.data)
            yield entry, file.getvalue()

    def _shared_parts(self) -> bytes:
        package, same = self._template.package, Letter(index=0, values={})
        shared = {header.part: render(header.pieces, same) for header in self._template.headers if header.is_shared}
        parts = package.parts | shared | {"[Content_Types].xml": serialise(package.content_types)}
        notes = {notes.part for notes in self._template.notes}
        late = {package.main, *notes, *(header.part for header in self._own)}
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            # Programs that guess a file's kind by its first entry look for this one.
            for name in sorted(parts.keys() - late, key=lambda name: (name != "_rels/.rels", name)):
                archive.writestr(name, parts[name])
        return file.getvalue()

    def _relationships(self) -> Relationships:
        return self._template.package.relationships(self._template.package.main)

    def _make_pdfs(self, context: TaskContext, work: Work, entries: Entries) -> None:
        done = sum(1 for entry in work.entries() if entry.pdf)
        documents = self._documents(itertools.islice(entries(), done, None))
        while batch := list(itertools.islice(documents, _BATCH)):
            context.progress(self.share + (100 - self.share) * done / self.count, f"PDF {done + 1} of {self.count}")
            for entry, pdf in zip(batch, self._convert(context, work, batch), strict=True):
                letter, _ = entry
                work.add(Entry(letter.contact_id, letter.person_id, text=letter.text, pdf=pdf))
            work.save()
            done += len(batch)

    def _convert(self, context: TaskContext, work: Work, batch: list[tuple[Entry, bytes]]) -> Iterator[bytes]:
        paths = [work.folder / f"{place}.docx" for place in range(len(batch))]
        for path, (_, document) in zip(paths, batch, strict=True):
            path.write_bytes(document)
        for path in convert(self._converter, paths, work.folder, context):
            yield path.read_bytes()
            path.unlink()
