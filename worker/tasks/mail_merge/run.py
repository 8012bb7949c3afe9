"""The mail merge, told in the order in which it happens. Read `run` first."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection

from batchtask.database import database_errors
from batchtask.definitions import TaskContext, TaskFailure
from batchtask.outcomes import Outcome, Succeeded
from worker.tasks.crm.languages import Language
from worker.tasks.crm.senders import load_countries
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.drafts import Entry
from worker.tasks.mail_merge.letters import Letters
from worker.tasks.mail_merge.lists import MOST_DEFINITIONS
from worker.tasks.mail_merge.pdf import convert, require_converter
from worker.tasks.mail_merge.preparation import (
    check,
    choice_of,
    file_name,
    rules_of,
    selection_of,
    shared_by_all,
    template_path,
)
from worker.tasks.mail_merge.recipients import REASONS, Recipient, find_recipients
from worker.tasks.mail_merge.template import Layout, Template, compile_template
from worker.tasks.mail_merge.variables import Variables
from worker.tasks.mail_merge.work import Work, working

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PDF_STARTS_AT = 50.0  # per cent; a guess: LibreOffice takes far longer than the merge, and tells nothing


def run(context: TaskContext, parameters: MailMerge) -> Outcome:
    """Merge and say what came of it. After a kill the next attempt goes on behind the last letter.

    Raises:
        TaskFailure: Something a user can mend; the sentence says what.
        StoreUnavailable: The database went away; a later attempt goes on.
    """
    language = check(parameters)
    converter = require_converter() if parameters.output == "pdf" else ""
    target = context.result_path(file_name(parameters, context))
    context.progress(0, "Reading the template")
    with database_errors(), context.connect() as connection:
        path = template_path(connection, parameters)
        template = _compile(path, parameters)
        with _disk_errors(target), working(context, path) as work, database_errors():
            merge = _Merge(context, connection, parameters, template, language=language, work=work)
            merge.write_letters()
            merge.require_some()
            # Nothing was written; LibreOffice takes minutes, and an open transaction would hold back vacuum.
            connection.rollback()
            document = work.folder / "letters.docx"
            merge.letters.write(document, merge.entries)
            if converter:
                context.progress(_PDF_STARTS_AT, "Making the PDF")
                document = convert(converter, document, work.folder, context)
            work.publish(document, target)
    _warn_about_lists(context, template, merge.letters.count)
    return Succeeded(response=merge.summary(), file_name=str(target))


def _compile(path: Path, parameters: MailMerge) -> Template:
    layout = Layout(
        drop_blank_lines=parameters.blank_lines == "remove",
        on_odd_page=parameters.start_on_odd_page,
        for_libreoffice=parameters.output == "pdf",
    )
    return compile_template(path, rules_of(parameters), layout)


class _Merge:
    """Who gets a letter and who does not, in this attempt and those before it."""

    def __init__(
        self,
        context: TaskContext,
        connection: Connection,
        parameters: MailMerge,
        template: Template,
        *,
        language: Language,
        work: Work,
    ) -> None:
        selection = selection_of(connection, parameters)
        self._context = context
        self._connection = connection
        self._countries = load_countries(connection)
        self._choice = choice_of(connection, parameters, selection)
        self._work = work
        self._merge = shared_by_all(
            connection,
            context,
            parameters,
            selection=selection,
            language=language,
            countries=self._countries,
            now=work.began_at,
        )
        self._variables = Variables(self._merge, template.names)
        self._share = _PDF_STARTS_AT if parameters.output == "pdf" else 100.0
        self.letters = Letters(template)
        self._left_out: Counter[str] = Counter()
        self._settled: Counter[tuple[int, int]] = Counter()  #: recipients that earlier attempts were done with

    def write_letters(self) -> None:
        """Write to everybody who is not settled yet."""
        self._restore()
        found = find_recipients(self._connection, self._choice, self._variables.lookups, self._countries)
        # Closed even when the merge stops half-way, for the server keeps a cursor open.
        with closing(found):
            for seen, recipient in enumerate(found, 1):
                self._context.check_cancelled()
                if not self._is_settled(recipient):
                    self._settle(recipient)
                    self._report(seen, recipient.total)

    def entries(self) -> Iterator[Entry]:
        """Yield all letters in order."""
        return (entry for entry in self._work.entries() if not entry.reason)

    def _restore(self) -> None:
        for entry in self._work.entries():
            self._settled[entry.contact_id, entry.person_id] += 1
            if entry.reason:
                self._left_out[entry.reason] += 1
            else:
                self.letters.restore(entry)
        if self.letters.count:
            self._context.log.info("going on behind letter %d", self.letters.count, extra={"action": "resumed"})

    def _is_settled(self, recipient: Recipient) -> bool:
        """By who it is, not by place: the selection may have changed since the earlier attempt."""
        settled = self._settled[recipient.identity] > 0
        self._settled[recipient.identity] -= settled
        return settled

    def _settle(self, recipient: Recipient) -> None:
        if recipient.reason:
            self._leave_out(recipient)
            return
        values = self._variables.of(recipient, self.letters.count + 1)
        self._work.add(self.letters.render(values, *recipient.identity))

    def require_some(self) -> None:
        """Refuse to make a document without letters.

        Raises:
            TaskFailure: Nobody is left; says why.
        """
        if self.letters.count:
            return
        if not self._left_out:
            raise TaskFailure(f"{self._whom()} has no members: there is nobody to write to.")
        raise TaskFailure(f"Nobody is left to write to: {self._reasons()} of {self._left_out.total()} recipients.")

    def summary(self) -> str:
        count = self.letters.count
        letters = "1 letter" if count == 1 else f"{count} letters"
        return f"{letters}; {self._left_out.total()} left out: {self._reasons()}" if self._left_out else letters

    def _leave_out(self, recipient: Recipient) -> None:
        self._work.add(Entry(*recipient.identity, reason=recipient.reason))
        self._left_out[recipient.reason] += 1
        reason = REASONS[recipient.reason]
        self._context.log.warning("left out: %s: %s", recipient.label, reason, extra={"action": "left out"})

    def _report(self, seen: int, total: int) -> None:
        if self.letters.count:
            letters = total - self._left_out.total()
            self._context.progress(self._share * seen / total, f"Letter {self.letters.count} of {letters}")

    def _reasons(self) -> str:
        return ", ".join(f"{count} {REASONS[reason]}" for reason, count in self._left_out.most_common())

    def _whom(self) -> str:
        name = self._merge.selection_name
        return f"The selection {name!r}" if name else "The list of recipients"


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """Tell in words that the folder cannot be written.

    Raises:
        TaskFailure: The disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise _disk_failure(target, error) from error


def _disk_failure(target: Path, error: OSError) -> TaskFailure:
    if error.errno in _DISK_FULL:
        return TaskFailure(f"The disk that holds {target.parent} is full: make room, then start the merge again.")
    return TaskFailure(f"The result cannot be written to {target.parent}: {error.strerror or error}.")


def _warn_about_lists(context: TaskContext, template: Template, letters: int) -> None:
    if template.lists.per_letter * letters > MOST_DEFINITIONS:
        context.log.warning(
            "the document has more numbered lists than Word may count; if numbers are missing, merge fewer letters",
            extra={"action": "many lists", "lists": template.lists.per_letter * letters},
        )
