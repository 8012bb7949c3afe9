"""The effect ledger: what task code did outside the database, so that no other attempt does it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from batchtask import signal_points
from batchtask.database import patiently
from batchtask.definitions import EffectInDoubt
from batchtask.keeping import check_effect_key, kept_effect
from batchtask.tables import effect
from worker.children.fencing import Fence

Told = str | None  #: what task code says about an effect


@dataclass(frozen=True)
class _Found:
    """What the ledger says about an effect that we did not begin now."""

    done: bool
    outcome: str


class Effects:
    """The effects of one task, as one attempt does them.

    Args:
        fence: Under which intents are committed.
    """

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self._begun: set[str] = set()  #: keys whose `perform` was called by this attempt

    def do(
        self,
        key: str,
        perform: Callable[[], Told],
        ask: Callable[[], Told] | None,
        not_done: tuple[type[Exception], ...],
    ) -> str:
        """See `TaskContext.effect`."""
        check_effect_key(key)
        found = patiently(lambda: self._intend(key, take_over=False))
        if found is not None:
            if found.done:
                return found.outcome
            if ask is None:
                raise EffectInDoubt(key)
            answer = ask()
            if answer is not None:
                return self._remember(key, answer)
            patiently(lambda: self._intend(key, take_over=True))
        return self._perform(key, perform, not_done)

    def _perform(self, key: str, perform: Callable[[], Told], not_done: tuple[type[Exception], ...]) -> str:
        self._begun.add(key)
        signal_points.reached("effect.intended")
        try:
            told = perform()
        except not_done:
            patiently(lambda: self._withdraw(key))
            self._begun.discard(key)
            raise
        # Any other error leaves the intent open, as a kill does: nobody knows whether the other side heard us.
        signal_points.reached("effect.performed")
        outcome = self._remember(key, told)
        signal_points.reached("effect.remembered")
        return outcome

    def _intend(self, key: str, *, take_over: bool) -> _Found | None:
        """Commit under the fence that the effect is about to be done; or return what was found, and write nothing."""
        with self._fence.engine.begin() as connection:
            found = self._find(connection, key)
            if found is not None and (found.done or not take_over):
                return found
            intent = {"fence": self._fence.number, "intended_at": func.now()}
            statement = insert(effect).values(task_id=self._fence.task_id, key=key, **intent)
            connection.execute(statement.on_conflict_do_update(constraint="effect_pkey", set_=intent))
            entry = self._fence.append(connection, self._fence.alive())
        self._fence.committed(entry)
        return None

    def _find(self, connection: Connection, key: str) -> _Found | None:
        query = select(effect.c.fence, effect.c.done_at, effect.c.outcome).where(self._is(key))
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.done_at is None and row.fence == self._fence.number and key not in self._begun:
            return None  # our own intent, whose commit got no answer
        return _Found(row.done_at is not None, row.outcome or "")

    def _remember(self, key: str, told: Told) -> str:
        """Keep that it was done. Not under the fence: it is true whoever works on the task by now."""
        outcome = kept_effect(told)
        patiently(lambda: self._mark_done(key, outcome))
        return outcome

    def _mark_done(self, key: str, outcome: str) -> None:
        done = {"done_at": func.now(), "outcome": outcome}
        statement = insert(effect).values(task_id=self._fence.task_id, key=key, fence=self._fence.number, **done)
        with self._fence.engine.begin() as connection:
            connection.execute(
                statement.on_conflict_do_update(constraint="effect_pkey", set_=done, where=effect.c.done_at.is_(None))
            )

    def _withdraw(self, key: str) -> None:
        """Take our own intent back; one that another attempt took over stays."""
        ours = and_(self._is(key), effect.c.fence == self._fence.number, effect.c.done_at.is_(None))
        with self._fence.engine.begin() as connection:
            connection.execute(delete(effect).where(ours))

    def _is(self, key: str) -> ColumnElement[bool]:
        return and_(effect.c.task_id == self._fence.task_id, effect.c.key == key)
