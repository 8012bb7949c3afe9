"""Who gets a letter and who does not, in this attempt and those before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import Connection

from batchtask.definitions import TaskContext, TaskFailure
from worker.tasks.crm.addresses import Country
from worker.tasks.mail_merge.drafts import Entry
from worker.tasks.mail_merge.outputs import Output
from worker.tasks.mail_merge.recipients import REASONS, Choice, Recipient, find_recipients
from worker.tasks.mail_merge.variables import Merge, Variables
from worker.tasks.mail_merge.work import Work


class Merging:
    """One attempt to write to everybody."""

    def __init__(
        self,
        context: TaskContext,
        output: Output,
        work: Work,
        *,
        merge: Merge,
        choice: Choice,
        countries: dict[int, Country],
    ) -> None:
        self._context = context
        self._output = output
        self._work = work
        self._merge = merge
        self._choice = choice
        self._countries = countries
        self._variables = Variables(merge, output.names)
        self._left_out: Counter[str] = Counter()
        self._settled: Counter[tuple[int, int]] = Counter()  #: recipients that earlier attempts were done with

    def settle_everybody(self, connection: Connection) -> None:
        """Write to everybody who is not settled yet, or say why not."""
        self._restore()
        found = find_recipients(connection, self._choice, self._variables.lookups, self._countries)
        # Closed even when the merge stops half-way, for the server keeps a cursor open.
        with closing(found):
            for seen, recipient in enumerate(found, 1):
                self._context.check_cancelled()
                if not self._is_settled(recipient):
                    self._settle(recipient)
                    self._report(seen, recipient.total)

    def entries(self) -> Iterator[Entry]:
        """Yield all letters in order."""
        return (entry for entry in self._work.entries() if entry.is_made)

    def require_some(self) -> None:
        """Refuse to make a result without letters.

        Raises:
            TaskFailure: Nobody is left; says why.
        """
        if self._output.count:
            return
        if not self._left_out:
            raise TaskFailure(f"{self._whom()} has no members: there is nobody to write to.")
        raise TaskFailure(f"Nobody is left to write to: {self._reasons()} of {self._left_out.total()} recipients.")

    def summary(self) -> str:
        count, what = self._output.count, self._output.what
        made = f"1 {what}" if count == 1 else f"{count} {what}s"
        return f"{made}; {self._left_out.total()} left out: {self._reasons()}" if self._left_out else made

    def _restore(self) -> None:
        for entry in self._work.entries():
            if entry.pdf:
                continue
            self._settled[entry.contact_id, entry.person_id] += 1
            if entry.reason:
                self._left_out[entry.reason] += 1
            else:
                self._output.restore(entry)
        if count := self._output.count:
            extra = {"action": "resumed"}
            self._context.log.info("going on behind %s %d", self._output.what, count, extra=extra)

    def _is_settled(self, recipient: Recipient) -> bool:
        """By who it is, not by place: the selection may have changed since the earlier attempt."""
        settled = self._settled[recipient.identity] > 0
        self._settled[recipient.identity] -= settled
        return settled

    def _settle(self, recipient: Recipient) -> None:
        if recipient.reason:
            self._leave_out(recipient, recipient.reason)
            return
        values = self._variables.of(recipient, self._output.count + 1)
        if self._output.skips(values):
            self._leave_out(recipient, "skipped")
        else:
            self._work.add(self._output.make(values, recipient.identity))

    def _leave_out(self, recipient: Recipient, reason: str) -> None:
        self._work.add(Entry(*recipient.identity, reason=reason))
        self._left_out[reason] += 1
        extra = {"action": "left out"}
        self._context.log.warning("left out: %s: %s", recipient.label, REASONS[reason], extra=extra)

    def _report(self, seen: int, total: int) -> None:
        if count := self._output.count:
            text = f"{self._output.what.capitalize()} {count} of {total - self._left_out.total()}"
            self._context.progress(self._output.share * seen / total, text)

    def _reasons(self) -> str:
        return ", ".join(f"{count} {REASONS[reason]}" for reason, count in self._left_out.most_common())

    def _whom(self) -> str:
        name = self._merge.selection_name
        return f"The selection {name!r}" if name else "The list of recipients"
