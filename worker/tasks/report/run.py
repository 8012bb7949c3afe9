"""A report, told in the order in which it happens: rights, query, lines, print. Read `run` first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, true

from batchtask.database import database_errors
from batchtask.definitions import CancelledByRequest, TaskContext, TaskFailure
from batchtask.outcomes import Cancelled, Outcome, Succeeded
from worker.tasks.crm.addresses import Country
from worker.tasks.crm.catalogue import Catalogue
from worker.tasks.crm.criteria import Group
from worker.tasks.crm.file_names import result_name
from worker.tasks.crm.languages import Language, find_language, known_languages
from worker.tasks.crm.operators import Asking
from worker.tasks.crm.preferences import load_preference
from worker.tasks.crm.rights import Reader, load_reader
from worker.tasks.crm.senders import load_countries, load_layouts, load_sender
from worker.tasks.crm.user_fields import load_user_fields
from worker.tasks.report import Report
from worker.tasks.report.addressees import Addressees
from worker.tasks.report.cross import CrossLines
from worker.tasks.report.definition import Geometry, Layout, ReportDefinition, load_report
from worker.tasks.report.label_fields import members_of
from worker.tasks.report.label_sheets import load_sheet
from worker.tasks.report.lists import ListLines
from worker.tasks.report.model import LabelSheet, Printed, Sheet
from worker.tasks.report.output import written_whole
from worker.tasks.report.printing import render_csv, render_labels, render_pdf, render_text
from worker.tasks.report.records import Records, find_records
from worker.tasks.report.spoken import Speaker
from worker.tasks.report.values import Printer
from worker.tasks.report.wanted import wanted_criteria

#: Where the CRM keeps a user's language and date format; which preferences these are is not documented.
LANGUAGE_PREFERENCE = ("Global", "Language")
DATE_PREFERENCE = ("Global", "DateFormat")

_RENDERERS = {"pdf": render_pdf, "txt": render_text, "csv": render_csv}


def run(context: TaskContext, parameters: Report) -> Outcome:
    """Print a report and say what is in it, or, after a request to stop, that there is none.

    Raises:
        TaskFailure: Something a user can mend; the sentence says what.
        StoreUnavailable: The database went away; a later attempt begins anew.
    """
    try:
        return _print(context, parameters)
    except CancelledByRequest:
        return Cancelled(response="No file was made.")


def _print(context: TaskContext, parameters: Report) -> Succeeded:
    context.progress(0, "Reading the report")
    with database_errors(), context.connect() as opened:
        # All of it from one moment: who may read what, in which columns user-defined fields lie, and the records.
        connection = opened.execution_options(isolation_level="REPEATABLE READ")
        reader = load_reader(connection, context.owner)
        definition = load_report(connection, parameters.report_id, reader)
        _require_readable(reader, definition)
        request = _Request(context, connection, parameters, definition, reader=reader)
        name = result_name(parameters.file_name, definition.name, f".{parameters.file_type}")
        with written_whole(context, name) as (beside, target):
            response = request.print_labels(beside) if request.is_labels else request.print_lines(beside)
    return Succeeded(response=response, file_name=str(target))


def _require_readable(reader: Reader, definition: ReportDefinition) -> None:
    if not reader.reads_any(definition.subject.name):
        raise TaskFailure(
            f"Your role does not let you read any {definition.subject.name}: ask an administrator, or choose another."
        )


class _Request:
    """One report for one user."""

    def __init__(
        self,
        context: TaskContext,
        connection: Connection,
        parameters: Report,
        definition: ReportDefinition,
        *,
        reader: Reader,
    ) -> None:
        self._context = context
        self._connection = connection
        self._parameters = parameters
        self._definition = definition
        self._reader = reader
        self._sender = load_sender(connection, reader.associate_id)
        self._now: datetime = connection.execute(select(func.localtimestamp())).scalar_one()
        self._printer = Printer(language=self._language(), date_format=self._preference(DATE_PREFERENCE))
        catalogue = Catalogue(sees=reader.sees, udefs=load_user_fields(connection))
        self._criteria = wanted_criteria(catalogue, definition.subject, definition.criteria, parameters.restrictions)
        self._records = self._find(catalogue, self._criteria)

    @property
    def is_labels(self) -> bool:
        return self._definition.layout is Layout.LABEL

    def print_lines(self, path: Path) -> str:
        """Print a list, a grouped list or a cross table, and say what was printed."""
        definition, records = self._definition, self._records
        count = self._count(records)
        found: ListLines | CrossLines = (
            CrossLines(records, definition.cross, self._printer)
            if definition.cross
            else ListLines(records, definition, self._printer)
        )
        sheet = self._sheet(found)
        render = _RENDERERS[self._parameters.file_type]
        self._warn(render(sheet, found.lines(), path, self._reporting(count, "Line")))
        return f"{definition.name}: {_counted(count, definition)}."

    def print_labels(self, path: Path) -> str:
        """Print labels, and say how many, and who got none."""
        if self._parameters.file_type != "pdf":
            raise TaskFailure("Labels are printed as PDF only: choose file_type pdf, or a list report for text.")
        sheet, gone = self._label_sheet(), self._parameters.skip_labels
        countries = load_countries(self._connection)
        own = countries.get(self._sender.country_id, Country())
        records, order = self._addressed()
        addressees = Addressees(
            self._context,
            records,
            order,
            layouts=load_layouts(self._connection, own),
            countries=countries,
            own_country=own,
        )
        count = self._count(records)
        printed = _Counter()
        labels, progress = printed.of(addressees.labels()), self._reporting(count, "Label")
        self._warn(render_labels(sheet, labels, path, progress, start=gone + 1))
        left_out = addressees.left_out
        reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.most_common())
        if not printed.count:
            raise TaskFailure(
                f"Nobody is left to print a label for: {reasons or 'nothing was found that you may read'}."
            )
        response = f"{self._definition.name}: {printed.count} label{'s' * (printed.count != 1)}"
        if left_out:
            response += f"; {left_out.total()} left out: {reasons}"
        return response + "."

    def _addressed(self) -> tuple[Records, list[tuple[str, bool]]]:
        """Return the records that labels are for, and their order."""
        order = list(self._definition.order)
        if self._records.subject.name != "project":
            return self._records, order
        return members_of(self._records), [(f"project/{name}", descending) for name, descending in order]

    def _count(self, records: Records) -> int:
        self._context.progress(1, "Counting")
        count = records.count()
        self._context.check_cancelled()
        return count

    def _warn(self, printed: Printed) -> None:
        if printed.warning:
            self._context.log.warning(printed.warning)

    def _reporting(self, total: int, word: str) -> Callable[[int], None]:
        def progress(count: int) -> None:
            self._context.check_cancelled()
            share = min(count / total, 1) if total else 1
            self._context.progress(1 + 98 * share, f"{word} {count}" + f" of {total}" * (count <= total))

        return progress

    def _sheet(self, found: ListLines | CrossLines) -> Sheet:
        if self._parameters.file_type == "pdf" and not self._definition.geometry.has_room:
            raise TaskFailure(f"The margins of {self._definition.name!r} leave no room on A4 paper: edit the report.")
        words = self._printer.words
        return Sheet(
            title=self._definition.name,
            columns=found.columns(),
            subtitle=self._in_words(),
            footer=words.printed.format(user=self._user, time=self._printer.time(self._now)),
            page_word=words.page,
            empty=words.empty,
            language=self._printer.language.code,
            **_page(self._definition.geometry),
        )

    def _in_words(self) -> list[str]:
        records = self._records
        speaker = Speaker(connection=records.connection, catalogue=records.catalogue, printer=self._printer)
        return speaker.lines(records.subject, self._criteria)

    def _label_sheet(self) -> LabelSheet:
        layout_id = self._parameters.label_layout_id or self._definition.label_layout_id
        sheet = load_sheet(self._connection, layout_id)
        if self._parameters.skip_labels >= sheet.columns * sheet.rows:
            raise TaskFailure("skip_labels leaves no label on the first sheet: give fewer, or 0 and a new sheet.")
        return replace(sheet, title=self._definition.name)

    def _find(self, catalogue: Catalogue, criteria: Group) -> Records:
        reader, subject = self._reader, self._definition.subject
        if self.is_labels and subject.name == "selection":
            # Also members whose company is gone, or not this user's to read: whoever gets no label is named.
            subject = replace(subject, is_present=lambda _: true())
            catalogue = replace(catalogue, sees=reader.sees_of_open_selections)
        return find_records(
            self._connection,
            catalogue,
            subject,
            criteria,
            asking=Asking(associate_id=reader.associate_id, group_id=reader.group_id, now=self._now),
            language=self._printer.language,
        )

    def _language(self) -> Language:
        wanted = self._parameters.language or self._preference(LANGUAGE_PREFERENCE)
        found = find_language(wanted or "en")
        if found is None and self._parameters.language:
            raise TaskFailure(f"The language {wanted!r} is not known; known are {known_languages()}.")
        if found is None:
            self._context.log.warning("your language %r is not known to reports: printed in English", wanted)
        return found or _english()

    @property
    def _user(self) -> str:
        return self._sender.values["auth"] or self._reader.name or "the system"

    def _preference(self, name: tuple[str, str]) -> str:
        reader = self._reader
        found = load_preference(self._connection, *name, associate_id=reader.associate_id, group_id=reader.group_id)
        return found or ""


@dataclass
class _Counter:
    """Counts what passes through."""

    count: int = 0

    def of(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self.count += 1
            yield item


def _page(geometry: Geometry) -> dict[str, Any]:
    return {
        "left_margin": geometry.left_margin,
        "right_margin": geometry.right_margin,
        "top_margin": geometry.top_margin,
        "bottom_margin": geometry.bottom_margin,
        "landscape": geometry.landscape,
    }


def _counted(count: int, definition: ReportDefinition) -> str:
    if not count:
        return "nothing was found that you may read"
    return f"{count} record{'s' * (count != 1)}" + (" in a cross table" if definition.cross else "")


def _english() -> Language:
    found = find_language("en")
    assert found is not None
    return found
