"""The merge by e-mail, told in the order in which it happens. Read `run` first, then `ledger`.

Once, in one transaction, it is written down who gets a mail and who does not. Then one mail after the other goes to
the server, and what becomes of each is written down before the next. A later attempt goes on with whoever is left.
"""

from __future__ import annotations

from contextlib import closing

from batchtask.database import database_errors
from batchtask.definitions import CancelledByRequest, TaskContext, TaskFailure
from batchtask.outcomes import Cancelled, Outcome, Snoozed, Succeeded
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.by_email.ledger import Ledger
from worker.tasks.mail_merge.by_email.mail_addresses import read_address
from worker.tasks.mail_merge.by_email.preparation import Preparation
from worker.tasks.mail_merge.by_email.sending import Sending
from worker.tasks.mail_merge.by_email.server import MailServer
from worker.tasks.mail_merge.by_email.statuses import ShipmentStatus

_PUT_OFF = "put_off"  # in the checkpoint: how often the task has waited for those whom the server put off


def run(context: TaskContext, parameters: MailMerge) -> Outcome:
    """Send and say what came of it. Nobody is written to twice, whatever is killed.

    Raises:
        TaskFailure: Something a user can mend; the sentence says what.
        MailServerAway: The mail server went away; a later attempt goes on.
        StoreUnavailable: The database went away; a later attempt goes on.
    """
    _check(parameters)
    with database_errors(), context.connect() as connection:
        preparation = Preparation(context, connection, parameters)
        with closing(MailServer(preparation.account, parameters.encryption)) as server:
            server.connect()  # first: a login that is refused leaves nothing behind
            mailing = preparation.find_or_begin()
            with closing(Ledger(context, mailing.shipment_id)) as ledger:
                ledger.take_over()
                ledger.set_status(ShipmentStatus.STARTED)
                return _send(context, ledger, preparation.sending(mailing, ledger, server, _put_off_so_far(context)))


def _check(parameters: MailMerge) -> None:
    if parameters.mails_per_minute < 0:
        raise TaskFailure("mails_per_minute must be 0 (no limit) or more.")
    if parameters.reply_to and read_address(parameters.reply_to) is None:
        raise TaskFailure(f"The address for answers {parameters.reply_to!r} is none: correct reply_to.")


def _send(context: TaskContext, ledger: Ledger, sending: Sending) -> Outcome:
    try:
        in_time = sending.send_to_everybody()
    except CancelledByRequest:
        ledger.set_status(ShipmentStatus.CANCELED)
        return Cancelled(response=ledger.tally().words())
    except TaskFailure:
        ledger.set_status(ShipmentStatus.FAILED)
        raise
    count, seconds = ledger.waiting()
    if count and in_time:
        ledger.set_status(ShipmentStatus.RETRY)
        context.save_checkpoint({_PUT_OFF: _put_off_so_far(context) + 1})
        return Snoozed(seconds=seconds, reason=f"{ledger.tally().words()}; the mail server asked to try again later")
    if count:
        ledger.set_status(ShipmentStatus.WAITING)
        return Snoozed(seconds=1, reason=f"{ledger.tally().words()}; goes on")
    tally = ledger.tally()
    ledger.set_status(ShipmentStatus.OK if tally.is_clean else ShipmentStatus.FAILED)
    return Succeeded(response=tally.words())


def _put_off_so_far(context: TaskContext) -> int:
    return int((context.checkpoint or {}).get(_PUT_OFF, 0))
