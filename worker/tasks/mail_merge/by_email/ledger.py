"""Who was written to, kept so that no attempt does it again, wherever its process dies.

An attempt takes recipients by some dozens under its fence: it writes a lock of its own into their rows, and a newer
attempt writes another. Each step with one mail then is a small commit that counts only while the lock is still there:

    taken -> in doubt (just before the full stop that ends the mail) -> sent, refused or put off

So the row is true wherever the process dies, even if no attempt comes after it. Whom a dead attempt left in doubt is
never written to again by itself; every later attempt tells who that is.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from batchtask.database import database_errors, patiently
from batchtask.definitions import TaskContext
from worker.tasks.mail_merge.by_email import statements
from worker.tasks.mail_merge.by_email.mail_addresses import MailAddress, read_address
from worker.tasks.mail_merge.by_email.server import Refusal
from worker.tasks.mail_merge.by_email.statuses import RecipientStatus, ShipmentStatus
from worker.tasks.mail_merge.by_email.summary import Tally

#: Recipients taken at a time: each time costs a commit under the fence and an event. A guess.
TAKEN = 50
IN_DOUBT = "it is not known whether the mail server took the mail"
#: The reason of a doubt that nobody was told of, because it usually ends a moment later.
ON_ITS_WAY = "the mail was handed to the mail server, whose answer is not known"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A recipient whose turn it is."""

    id: int
    contact_id: int
    person_id: int
    name: str
    address: str

    @property
    def mail_address(self) -> MailAddress:
        found = read_address(self.address)
        assert found is not None  # others were left out at the beginning
        return found


class Ledger:
    """The recipients of a mailing, as one attempt sees them. Waits while the database is away.

    Args:
        context: Of the task.
        shipment_id: The mailing.
    """

    def __init__(self, context: TaskContext, shipment_id: int) -> None:
        self._context = context
        self._keys: dict[str, Any] = {
            "shipment_id": shipment_id,
            "lock": secrets.token_hex(16),
            "in_doubt": IN_DOUBT,
            "on_its_way": ON_ITS_WAY,
            **{status.name.lower(): int(status) for status in RecipientStatus},
        }
        self._connection: Connection | None = None
        self._open = context.connect()

    def take_over(self) -> None:
        """Free what earlier attempts took and did not use, and tell of what they had on its way.

        Each attempt tells of all of it: an earlier one may have died with its last log lines unwritten.

        Raises:
            LeaseLost: Somebody else works on the task by now.
        """
        with self._context.transaction() as session:
            session.execute(statements.DOUBT_OTHERS, self._keys)
            session.execute(statements.RELEASE, self._keys)
            doubtful = session.execute(statements.DOUBTFUL, self._keys).all()
        for name, address in doubtful:
            self._warn_of_doubt(name, address)

    def take(self) -> list[Taken]:
        """Take the next recipients whose time has come, in order; none if there are none.

        Raises:
            LeaseLost: Somebody else works on the task by now.
        """
        with self._context.transaction() as session:
            rows = session.execute(statements.TAKE, self._keys | {"taken": TAKEN}).mappings().all()
        return sorted((Taken(**row) for row in rows), key=lambda taken: taken.id)

    def intend(self, taken: Taken) -> bool:
        """Note that from now on the mail may be sent, or not; False if it must not be: somebody has changed the row.

        Raises:
            LeaseLost: Somebody else works on the task by now.
        """
        ours = self._write((statements.INTEND, self._of(taken)))
        if not ours:
            with self._context.transaction() as session:  # its end asks whose the task is
                session.execute(select(1))
        return ours

    def sent(self, taken: Taken) -> None:
        """Note that the server took the mail."""
        self._write((statements.SENT, self._of(taken)), (statements.ADDRESS_SENT, self._of(taken)))

    def in_doubt(self, taken: Taken) -> None:
        """Note that nobody will know whether the server took the mail."""
        self._write((statements.DOUBT, self._of(taken)))
        self._warn_of_doubt(taken.name, taken.address)

    def put_off(self, taken: Taken, refusal: Refusal, seconds: float) -> None:
        """Note that the server wants to be asked again later."""
        self._write((statements.PUT_OFF, self._of(taken) | _reason(refusal) | {"seconds": seconds}))

    def refused(self, taken: Taken, refusal: Refusal) -> None:
        """Note that the server does not want the mail; and if it is for the address, note that there, too."""
        hard = not refusal.is_temporary
        status = RecipientStatus.BOUNCED if hard else RecipientStatus.SOFT_BOUNCED
        values = self._of(taken) | _reason(refusal) | {"status": status}
        writes = [(statements.REFUSED, values)]
        if hard and refusal.of_address:
            writes.append((statements.ADDRESS_BOUNCED, values))
        self._write(*writes)
        self._context.log.warning("refused: %s <%s>: %s", taken.name, taken.address, refusal)

    def left_out(self, taken: Taken, reason: str) -> None:
        """Note that somebody is not to be written to any more, since the mailing began."""
        values = {"status": RecipientStatus.BLOCKED, "code": None, "reason": reason}
        self._write((statements.REFUSED, self._of(taken) | values))
        self._context.log.warning("left out: %s <%s>: %s", taken.name, taken.address, reason)

    def waiting(self) -> tuple[int, float]:
        """How many are still to be written to, and in how many seconds the time of the last of them comes."""
        count, seconds = self._ask(lambda connection: connection.execute(statements.WAITING, self._keys).one())
        return count, max(seconds, 0.0)

    def seconds_since_last(self) -> float | None:
        """Since a mail was last on its way; None if none was."""
        [seconds] = self._ask(lambda connection: connection.execute(statements.SINCE_LAST, self._keys).one())
        return float(seconds) if seconds is not None else None

    def tally(self) -> Tally:
        """Count the recipients by state and reason."""
        rows = self._ask(lambda connection: connection.execute(statements.TALLY, self._keys).all())
        return Tally({(RecipientStatus(status), reason): count for status, reason, count in rows})

    def set_status(self, status: ShipmentStatus) -> None:
        """Say how the mailing is, with its numbers."""
        ended = status in {ShipmentStatus.OK, ShipmentStatus.FAILED, ShipmentStatus.CANCELED}
        with self._context.transaction() as session:
            session.execute(statements.SET_STATUS, self._keys | {"status": status, "ended": ended})

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._open.__exit__(None, None, None)
            self._connection = None

    def _of(self, taken: Taken) -> dict[str, Any]:
        ids = {"id": taken.id, "contact_id": taken.contact_id or -1, "person_id": taken.person_id or -1}
        return self._keys | ids | {"address": taken.address}

    def _write(self, *writes: tuple[Any, dict[str, Any]]) -> bool:
        """Commit some statements together, if the first of them meets its row; else none."""

        def commit(connection: Connection) -> bool:
            met = all(connection.execute(statement, values).rowcount for statement, values in writes[:1])
            for statement, values in writes[1:] if met else ():
                connection.execute(statement, values)
            connection.commit()
            return met

        return self._ask(commit)

    def _ask(self, question: Callable[[Connection], T]) -> T:
        """Repeating is harmless: what was done already does not meet its row again, or says the same."""

        def ask() -> T:
            try:
                with database_errors():
                    if self._connection is None:
                        self._open = self._context.connect()
                        self._connection = self._open.__enter__()
                    found = question(self._connection)
                    self._connection.rollback()  # while mails are written, no transaction stays open
                    return found
            except Exception:
                self.close()
                raise

        return patiently(ask)

    def _warn_of_doubt(self, name: str, address: str) -> None:
        self._context.log.warning("in doubt: %s <%s>: %s", name, address, IN_DOUBT, extra={"action": "in doubt"})


def _reason(refusal: Refusal) -> dict[str, object]:
    return {"code": refusal.code, "reason": refusal.text[:1023]}
