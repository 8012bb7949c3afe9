"""The mail merge, told in the order in which it happens. Read `run` first."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePath

from sqlalchemy import Connection, select

from batchtask import crm7
from batchtask.database import database_errors
from batchtask.definitions import TaskContext, TaskFailure
from batchtask.outcomes import Outcome, Succeeded
from worker.tasks.crm.addresses import Country
from worker.tasks.crm.languages import Language, find_language, known_languages
from worker.tasks.crm.senders import (
    SelectionRow,
    load_countries,
    load_layouts,
    load_selection,
    load_sender,
)
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.consents import needed_purpose
from worker.tasks.mail_merge.drafts import Entry
from worker.tasks.mail_merge.letters import Letters
from worker.tasks.mail_merge.lists import MOST_DEFINITIONS
from worker.tasks.mail_merge.pdf import convert, require_converter
from worker.tasks.mail_merge.recipients import REASONS, Choice, Recipient, find_recipients
from worker.tasks.mail_merge.template import Layout, Template, compile_template
from worker.tasks.mail_merge.variables import KnownNames, Merge, Variables
from worker.tasks.mail_merge.variables_in_text import Rules
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
    target = context.result_path(_file_name(parameters, context))
    context.progress(0, "Reading the template")
    with database_errors(), context.connect() as connection:
        path = _template_path(connection, parameters)
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


def check(parameters: MailMerge) -> Language:
    """Refuse parameters that contradict one another.

    Raises:
        TaskFailure: Names the parameters.
    """
    if bool(parameters.template) == bool(parameters.template_id):
        raise TaskFailure("Name one template: either template (a path) or template_id (a number).")
    if not (parameters.selection_id or parameters.contact_ids or parameters.person_ids):
        raise TaskFailure("Name the recipients: selection_id, contact_ids or person_ids.")
    if parameters.prefer_company and not parameters.include_companies:
        raise TaskFailure("prefer_company needs include_companies: it writes to companies in place of persons.")
    language = find_language(parameters.language)
    if language is None:
        raise TaskFailure(f"The language {parameters.language!r} is not known; known are {known_languages()}.")
    return language


def _compile(path: Path, parameters: MailMerge) -> Template:
    rules = Rules(known=KnownNames(), case_sensitive=parameters.case_sensitive, unknown=parameters.unknown_variables)
    layout = Layout(
        drop_blank_lines=parameters.blank_lines == "remove",
        on_odd_page=parameters.start_on_odd_page,
        for_libreoffice=parameters.output == "pdf",
    )
    return compile_template(path, rules, layout)


def _template_path(connection: Connection, parameters: MailMerge) -> Path:
    if parameters.template:
        return Path(parameters.template)
    table = crm7.doctmpl.c
    named = select(table.filename).where(table.doctmpl_id == parameters.template_id)
    file_name = connection.execute(named).scalar_one_or_none()
    if file_name is None:
        raise TaskFailure(f"There is no document template {parameters.template_id}: choose another.")
    # The archive's paths are written by Windows clients.
    return Path(parameters.template_folder, *file_name.replace("\\", "/").split("/"))


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
        selection = _selection(connection, parameters)
        self._context = context
        self._connection = connection
        self._countries = load_countries(connection)
        self._choice = _choice(connection, parameters, selection)
        self._work = work
        self._merge = self._shared(parameters, selection, language)
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

    def _shared(self, parameters: MailMerge, selection: SelectionRow | None, language: Language) -> Merge:
        sender = load_sender(self._connection, parameters.sender_id or self._context.owner)
        own_country = self._countries.get(sender.country_id, Country())
        now = self._work.began_at
        if day := parameters.letter_date:
            now = now.replace(year=day.year, month=day.month, day=day.day)
        return Merge(
            parameters=parameters,
            sender=sender,
            own_country=own_country,
            layouts=load_layouts(self._connection, own_country),
            language=language,
            now=now,
            selection_name=selection.name if selection else "",
            file_name=_file_name(parameters, self._context),
        )


def _selection(connection: Connection, parameters: MailMerge) -> SelectionRow | None:
    if not parameters.selection_id:
        return None
    found = load_selection(connection, parameters.selection_id)
    if found is None:
        raise TaskFailure(f"There is no selection {parameters.selection_id}: it may have been deleted.")
    return found


def _choice(connection: Connection, parameters: MailMerge, selection: SelectionRow | None) -> Choice:
    mode = parameters.include_person
    if mode == "selection":
        mode = "first" if selection is None else selection.mode  # type: ignore[assignment]
    one_per_company = parameters.one_per_company
    if one_per_company is None:
        one_per_company = selection is not None and selection.one_per_company
    return Choice(
        selection_id=parameters.selection_id,
        contact_ids=parameters.contact_ids,
        person_ids=parameters.person_ids,
        mode=mode,
        include_companies=parameters.include_companies,
        prefer_company=parameters.prefer_company,
        one_per_company=one_per_company,
        sorting=parameters.sorting,
        consent_purpose_id=0 if parameters.override_consent else needed_purpose(connection),
        shipment_type_id=0 if parameters.override_consent else parameters.shipment_type_id,
    )


def _file_name(parameters: MailMerge, context: TaskContext) -> str:
    """Name the result: its folder is the worker's to choose, so only the last part of a path counts."""
    stem = PurePath(parameters.template.replace("\\", "/")).stem or "letters"
    wanted = PurePath(parameters.file_name.replace("\\", "/")).name
    suffix = f".{parameters.output}"
    if not wanted:
        return f"{stem}-{str(context.task_id)[-12:]}{suffix}"
    return wanted if wanted.lower().endswith(suffix) else wanted + suffix


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
