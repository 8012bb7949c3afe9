"""Sending: one mail after the other, each noted before the next."""

from __future__ import annotations

import time

from batchtask.definitions import TaskContext, TaskFailure
from worker.tasks.mail_merge.by_email.audience import Audience
from worker.tasks.mail_merge.by_email.content import Compiled
from worker.tasks.mail_merge.by_email.definition import MailServerAway
from worker.tasks.mail_merge.by_email.ledger import Ledger, Taken
from worker.tasks.mail_merge.by_email.live_fields import LiveFields
from worker.tasks.mail_merge.by_email.messages import Letterhead
from worker.tasks.mail_merge.by_email.pace import Pace
from worker.tasks.mail_merge.by_email.server import AnswerLost, MailServer, Refusal
from worker.tasks.mail_merge.recipients import REASONS, Recipient
from worker.tasks.mail_merge.variables import Variables

#: Pauses before a broken connection is made again, for one mail; after the last one the attempt ends. A guess: a
#: server that restarts is back by then.
_RECONNECT_SECONDS = (0, 1, 5, 15)
#: When somebody whom the server put off is tried again. A guess: greylisting asks for five minutes or so.
PUT_OFF_SECONDS = (300, 1200, 3600, 14400)
#: Refusals in a row that are not for the address: it is the mail itself that the server does not want. A guess.
_MOST_IN_A_ROW = 10


class Sending:
    """One attempt to write to whoever is left.

    Args:
        put_off_so_far: How often the task has waited for those whom the server put off.
    """

    def __init__(
        self,
        context: TaskContext,
        ledger: Ledger,
        server: MailServer,
        *,
        pace: Pace,
        audience: Audience,
        compiled: Compiled,
        fields: LiveFields,
        letterhead: Letterhead,
        put_off_so_far: int,
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._server = server
        self._pace = pace
        self._audience = audience
        self._compiled = compiled
        self._fields = fields
        self._letterhead = letterhead
        self._put_off_so_far = put_off_so_far
        self._refused_in_a_row = 0
        tally = ledger.tally()
        self._total, self._number = tally.to_send, tally.tried

    def send_to_everybody(self) -> bool:
        """Send to everybody whose time has come; False if the attempt's own time was too short for that.

        Raises:
            CancelledByRequest: Somebody asked for the task to stop.
            MailServerAway: The server is gone; whoever is left stays so.
            TaskFailure: The server does not want us, or our mails.
            LeaseLost: Somebody else works on the task by now.
        """
        while taken := self._ledger.take():
            variables, found = self._read(taken)
            for one in taken:
                if not self._pace.wait(self._context):
                    return False
                self._settle(one, found.get(one.id), variables)
        return True

    def _read(self, taken: list[Taken]) -> tuple[Variables, dict[int, Recipient]]:
        return self._fields.read(lambda variables: self._audience.now(taken, variables.lookups))

    def _settle(self, one: Taken, recipient: Recipient | None, variables: Variables) -> None:
        """Send, unless the CRM by now has a reason not to: a mailing takes hours, and people object meanwhile."""
        if recipient is None or recipient.reason:
            self._ledger.left_out(one, REASONS[recipient.reason if recipient else "company-gone"])
            return
        self._number += 1
        text = f"Mail {self._number} of {self._total} to {one.name or one.address}"
        self._context.progress(100 * self._number / max(self._total, 1), text)
        filled = self._compiled.fill(variables.of(recipient, self._number))
        self._send(one, self._letterhead.write(filled, one.mail_address, one.name, one.id))

    def _send(self, one: Taken, message: bytes) -> None:
        refusal = self._offer(one, message)
        if refusal is None:
            if not self._ledger.intend(one):
                self._server.hang_up()
                return
            try:
                refusal = self._server.finish()
            except AnswerLost:
                self._ledger.in_doubt(one)
                return
        if refusal is None:
            self._refused_in_a_row = 0
            self._ledger.sent(one)
        else:
            self._note(one, refusal)

    def _offer(self, one: Taken, message: bytes) -> Refusal | None:
        for pause_seconds in _RECONNECT_SECONDS:
            try:
                return self._server.offer(one.mail_address, message)
            except MailServerAway as error:
                self._context.log.info("%s", error, extra={"action": "reconnecting"})
            self._context.check_cancelled()
            time.sleep(pause_seconds)
        return self._server.offer(one.mail_address, message)

    def _note(self, one: Taken, refusal: Refusal) -> None:
        if refusal.is_temporary and self._put_off_so_far < len(PUT_OFF_SECONDS):
            self._ledger.put_off(one, refusal, PUT_OFF_SECONDS[self._put_off_so_far])
            return
        self._ledger.refused(one, refusal)
        self._refused_in_a_row = 0 if refusal.of_address else self._refused_in_a_row + 1
        if self._refused_in_a_row >= _MOST_IN_A_ROW:
            raise TaskFailure(
                f"The mail server refuses the mails, whoever gets them ({refusal}): check the mail account and the "
                "template, or ask who runs the server."
            )
