"""Labels: each recipient's name and address, on sheets whose geometry the CRM knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from batchtask.definitions import TaskContext, TaskFailure
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.drafts import Entry
from worker.tasks.mail_merge.letters import Values
from worker.tasks.mail_merge.variables import ADDRESS_BLOCK
from worker.tasks.mail_merge.work import Work
from worker.tasks.report.label_sheets import load_sheet
from worker.tasks.report.model import Label
from worker.tasks.report.printing import render_labels


class Labels:
    """A label for each recipient; see `outputs.Output`."""

    what = "label"
    share = 90.0  # per cent; a guess
    names: Set[str] = frozenset({ADDRESS_BLOCK})

    def __init__(self, connection: Connection, parameters: MailMerge) -> None:
        self._sheet = load_sheet(connection, parameters.label_layout_id)
        self._gone = parameters.skip_labels
        if self._gone >= self._sheet.columns * self._sheet.rows:
            raise TaskFailure("skip_labels leaves no label on the first sheet: give fewer, or 0 and a new sheet.")
        self.made_from = msgspec.json.encode(self._sheet)
        self.count = 0

    def skips(self, values: Values) -> bool:
        return False

    def make(self, values: Values, identity: tuple[int, int]) -> Entry:
        self.count += 1
        return Entry(*identity, text=values[ADDRESS_BLOCK])

    def restore(self, entry: Entry) -> None:
        self.count += 1

    def write(self, context: TaskContext, work: Work, entries: Callable[[], Iterable[Entry]]) -> Path:
        def tell(printed: int) -> None:
            context.check_cancelled()
            percent = self.share + (100 - self.share) * printed / self.count
            context.progress(percent, f"Printing label {printed} of {self.count}")

        path = work.folder / "labels.pdf"
        labels = (Label(lines=entry.text.split("\n")) for entry in entries())
        printed = render_labels(self._sheet, labels, path, tell, start=self._gone + 1)
        if printed.warning:
            context.log.warning(printed.warning)
        return path
