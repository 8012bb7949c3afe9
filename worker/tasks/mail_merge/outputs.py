"""What a merge makes: one document, a file for each recipient, or sheets of labels. See `Output`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from batchtask.definitions import TaskContext
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.archive import find_template
from worker.tasks.mail_merge.drafts import Entry
from worker.tasks.mail_merge.files import SeparateFiles
from worker.tasks.mail_merge.labels import Labels
from worker.tasks.mail_merge.letters import Letters, Values
from worker.tasks.mail_merge.lists import MOST_DEFINITIONS
from worker.tasks.mail_merge.pdf import convert, require_converter
from worker.tasks.mail_merge.template import Layout, Template, compile_template
from worker.tasks.mail_merge.variables import rules_of
from worker.tasks.mail_merge.work import Work

Entries = Callable[[], Iterable[Entry]]


class Output(Protocol):
    """One kind of result. It is made in two steps, for the first can be gone on with after a kill."""

    what: str  #: one of what is made, in a word
    made_from: bytes  #: of which what was kept by an earlier attempt must have been made, too
    share: float  #: of the work, in per cent, that is done when every recipient is

    @property
    def names(self) -> Set[str]:
        """Variables whose values it wants."""

    @property
    def count(self) -> int:
        """Recipients that it was given so far."""

    def skips(self, values: Values) -> bool:
        """True if the template itself leaves this recipient out."""

    def make(self, values: Values, identity: tuple[int, int]) -> Entry:
        """Make what is kept of one recipient."""

    def restore(self, entry: Entry) -> None:
        """Go on behind a recipient that an earlier attempt was done with."""

    def write(self, context: TaskContext, work: Work, entries: Entries) -> Path:
        """Make the result in the work's folder; `entries` gives what was made, in order, each time it is called."""


def make_output(context: TaskContext, connection: Connection, parameters: MailMerge) -> Output:
    """Read the template, or the layout of labels, and prepare for what is to be made of it.

    Raises:
        TaskFailure: It cannot be used, or PDF is wanted and LibreOffice is not there.
    """
    if parameters.output == "labels":
        return Labels(connection, parameters)
    converter = require_converter() if parameters.output == "pdf" else ""
    context.progress(0, "Reading the template")
    path = find_template(connection, parameters, context.archive_dir)
    template = _compile(path, parameters)
    if parameters.separate_files:
        return SeparateFiles(template, path.read_bytes(), converter)
    return OneDocument(template, path.read_bytes(), converter)


def _compile(path: Path, parameters: MailMerge) -> Template:
    layout = Layout(
        drop_blank_lines=parameters.blank_lines == "remove",
        on_odd_page=parameters.start_on_odd_page,
        alone=parameters.separate_files,
        for_libreoffice=parameters.output == "pdf",
    )
    return compile_template(path, rules_of(parameters), layout)


class OneDocument:
    """All letters in one .docx, or a PDF made of it."""

    what = "letter"

    def __init__(self, template: Template, made_from: bytes, converter: str) -> None:
        self.made_from = made_from
        self.share = _ONE_PDF_STARTS_AT if converter else 100.0
        self._template = template
        self._letters = Letters(template)
        self._converter = converter

    @property
    def names(self) -> Set[str]:
        return self._template.names

    @property
    def count(self) -> int:
        return self._letters.count

    def skips(self, values: Values) -> bool:
        return self._template.skips(values)

    def make(self, values: Values, identity: tuple[int, int]) -> Entry:
        return self._letters.render(values, *identity)

    def restore(self, entry: Entry) -> None:
        self._letters.restore(entry)

    def write(self, context: TaskContext, work: Work, entries: Entries) -> Path:
        document = work.folder / "letters.docx"
        self._letters.write(document, entries)
        self._warn_about_lists(context)
        if not self._converter:
            return document
        context.progress(self.share, "Making the PDF")
        return convert(self._converter, [document], work.folder, context)[0]

    def _warn_about_lists(self, context: TaskContext) -> None:
        lists = self._template.lists.per_letter * self.count
        if lists > MOST_DEFINITIONS:
            context.log.warning(
                "the document has more numbered lists than Word may count; if numbers are missing, merge fewer "
                "letters, or each into a file of its own",
                extra={"action": "many lists", "lists": lists},
            )


_ONE_PDF_STARTS_AT = 50.0  # per cent; a guess: LibreOffice takes far longer than the merge, and tells nothing
