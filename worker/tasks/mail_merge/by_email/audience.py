"""Who gets a mail: the same people as get a letter, with an address for mails and without objections to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sqlalchemy import Connection

from batchtask.definitions import TaskContext
from worker.tasks.crm.addresses import Country
from worker.tasks.mail_merge.by_email.ledger import Taken
from worker.tasks.mail_merge.by_email.mail_addresses import read_address
from worker.tasks.mail_merge.by_email.mailing import Addressee
from worker.tasks.mail_merge.by_email.statuses import RecipientStatus
from worker.tasks.mail_merge.recipients import REASONS, UNREADABLE, Choice, Recipient, find_recipients

_NO_ADDRESS = "no valid e-mail address"
_STATUSES = {"declined": RecipientStatus.NO_SUBSCRIPTION, "one-per-company": RecipientStatus.DUPLICATE}
_EMAIL = "atem"


class Audience:
    """Asks the CRM for recipients.

    Args:
        connection: To read with.
        choice: Who is meant.
        countries: Of their addresses.
    """

    def __init__(self, connection: Connection, choice: Choice, countries: dict[int, Country]) -> None:
        self._connection = connection
        self._choice = choice
        self._countries = countries

    def everybody(self, context: TaskContext) -> Iterator[Addressee]:
        """Yield all who are meant, in order; who gets no mail is logged."""
        for recipient in find_recipients(self._connection, self._choice, (), self._countries):
            context.check_cancelled()
            addressee = _addressee(recipient)
            if addressee.reason:
                named = f"{recipient.label} <{addressee.address}>" if addressee.address else recipient.label
                context.log.warning("left out: %s: %s", named, addressee.reason, extra={"action": "left out"})
            yield addressee

    def now(self, some: Iterable[Taken], lookups: Iterable[str]) -> dict[int, Recipient]:
        """Ask again for some recipients, who may have changed since the mailing began; by the id of `Taken`."""
        taken = {(one.person_id, 0 if one.person_id else one.contact_id): one.id for one in some}
        choice = replace(
            self._choice,
            selection_id=0,
            contact_ids=tuple(contact_id for _, contact_id in taken if contact_id),
            person_ids=tuple(person_id for person_id, _ in taken if person_id),
            mode="none",
            prefer_company=False,
            one_per_company=False,
        )
        found = {}
        for recipient in find_recipients(self._connection, choice, lookups, self._countries):
            contact_id, person_id = recipient.identity
            found[taken[person_id, 0 if person_id else contact_id]] = recipient
        self._connection.rollback()  # while mails are written, no transaction stays open
        return found


def _addressee(recipient: Recipient) -> Addressee:
    contact_id, person_id = recipient.identity
    address = "" if recipient.reason == UNREADABLE else (recipient.row[_EMAIL] or "").strip()
    reason = REASONS[recipient.reason] if recipient.reason else ""
    if not reason and read_address(address) is None:
        reason = _NO_ADDRESS
    status = RecipientStatus.BLOCKED if reason else RecipientStatus.READY
    return Addressee(
        contact_id=contact_id,
        person_id=person_id,
        name=_name(recipient),
        address=address,
        status=_STATUSES.get(recipient.reason, status),
        reason=reason,
    )


def _name(recipient: Recipient) -> str:
    """Name the person; of a company without one, the company."""
    row = recipient.row
    person = " ".join(part for part in (row["firstname"], row["middlename"], row["lastname"]) if part)
    return person or row["name"] or ""
