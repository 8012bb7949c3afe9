"""System events of the CRM that stand for as long as a task has not ended: start flags.

Whoever submits a task that others must wait for sets its flag first. The flag then belongs to the task, and is over
when the task has ended, whatever ended it: success, failure, a cancel, or a kill after which no attempt comes. That
is read from the task's own stream each time, never remembered; so nobody has to be alive to release a flag.
Removing the rows of flags that are over is tidying up, for those who read `crm7.systemevent` itself: whoever
projects the end of a task does it, and every pass of the reconciler.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, text, update

from batchtask.crm7 import allocate_ids, systemevent
from batchtask.identifiers import TaskId
from batchtask.tables import task_flag

#: A flag whose task nobody has heard of is over then: its setter died before submitting. A guess.
ABANDONED_SECONDS = 600

#: Of the whole database; `owner` is nobody.
_SCOPE = 2

_IS_OVER = f"""
coalesce(
    (SELECT type IN ('TaskSucceeded', 'TaskFailed', 'TaskCancelled') FROM batchtask.event happened
     WHERE happened.task_id = flag.task_id AND type <> 'TaskAmended' ORDER BY version DESC LIMIT 1),
    flag.set_at < clock_timestamp() - interval '{ABANDONED_SECONDS} s'
)
"""  # noqa: S608 - a constant of ours

# Locked events are passed by: a zombie may hold one, and whoever tidies up must not wait for it.
_REMOVE = text(f"""
WITH over AS (
    SELECT event.systemevent_id FROM crm7.systemevent event JOIN batchtask.task_flag flag USING (systemevent_id)
    WHERE {_IS_OVER} FOR UPDATE OF event SKIP LOCKED
), removed AS (
    DELETE FROM crm7.systemevent event USING over WHERE event.systemevent_id = over.systemevent_id
)
DELETE FROM batchtask.task_flag flag
WHERE systemevent_id IN (SELECT systemevent_id FROM over)
    OR NOT EXISTS (SELECT FROM crm7.systemevent event WHERE event.systemevent_id = flag.systemevent_id)
""")  # noqa: S608 - constants of ours

_STANDING = text(f"""
SELECT event.eventkey FROM crm7.systemevent event LEFT JOIN batchtask.task_flag flag USING (systemevent_id)
WHERE starts_with(event.eventkey, :prefix) AND event.scope = {_SCOPE} AND event.owner = 0
    AND (flag.systemevent_id IS NULL OR NOT {_IS_OVER})
ORDER BY event.eventkey
""")  # noqa: S608 - constants of ours

_LOCKED = f"""
SELECT event.systemevent_id, flag.task_id, flag.systemevent_id IS NOT NULL AS for_a_task
FROM crm7.systemevent event LEFT JOIN batchtask.task_flag flag USING (systemevent_id)
WHERE event.eventkey = :key AND event.scope = {_SCOPE} AND event.owner = 0 FOR UPDATE OF event
"""  # noqa: S608 - constants of ours
_WAITING = text(_LOCKED)
_PASSING_BY = text(f"{_LOCKED} SKIP LOCKED")

_INSERT = text(f"""
INSERT INTO crm7.systemevent (systemevent_id, scope, owner, eventkey, eventmess, eta,
    registered, registered_associate_id, updated, updated_associate_id, updatedcount)
VALUES (:systemevent_id, {_SCOPE}, 0, :key, :message, localtimestamp + :lasts,
    now(), :associate_id, now(), :associate_id, 0)
ON CONFLICT (eventkey, scope, owner) DO NOTHING
""")  # noqa: S608 - constants of ours

_GIVE_BACK = text("""
UPDATE batchtask.task_flag flag SET task_id = NULL, set_at = clock_timestamp()
WHERE task_id = :task_id AND NOT EXISTS (SELECT FROM batchtask.event happened WHERE happened.task_id = flag.task_id)
""")

_TAKE = text("""
INSERT INTO batchtask.task_flag (systemevent_id, task_id) VALUES (:systemevent_id, :task_id)
ON CONFLICT (systemevent_id) DO UPDATE SET task_id = EXCLUDED.task_id
""")


def set_flag(connection: Connection, key: str, *, message: str, associate_id: int, lasts: timedelta) -> bool:
    """Set a flag for a task that is about to be submitted; commit is the caller's.

    One that stands already and that no task has taken is as good, and its time begins anew. Two callers at once
    set one flag.

    Args:
        connection: Whose transaction sets it.
        key: Of the system event.
        message: What users are told.
        associate_id: Who sets it.
        lasts: A guess of how long the task takes, for users.

    Returns:
        False if a task that has not ended has the flag, or another program has set it.
    """
    remove_flags_that_are_over(connection)
    if key not in standing_flags(connection, key):
        values = {"key": key, "message": message, "associate_id": associate_id, "lasts": lasts}
        if _inserted(connection, values):
            return True
    flag = connection.execute(_PASSING_BY, {"key": key}).mappings().one_or_none()
    if flag is None or not flag["for_a_task"] or flag["task_id"] is not None:
        return False
    again = update(task_flag).where(task_flag.c.systemevent_id == flag["systemevent_id"])
    connection.execute(again.values(set_at=func.clock_timestamp()))
    return True


def take_flag(connection: Connection, key: str, task_id: TaskId) -> bool:
    """Give a flag to a task, and keep it locked until the transaction ends. A repetition does no harm.

    One that another program has set is taken, too: it goes when the task has ended.

    Returns:
        False if there is no such flag, or another task has it.
    """
    flag = _wait_for(connection, key)
    if flag is None or flag["task_id"] not in (None, task_id):
        return False
    connection.execute(_TAKE, {"systemevent_id": flag["systemevent_id"], "task_id": task_id})
    return True


def give_back_flag(connection: Connection, task_id: TaskId) -> None:
    """Let others take the flag of a task whose submission failed: nobody has heard of it.

    If it was submitted after all, it takes the flag when it begins, or is refused as others have it.
    """
    connection.execute(_GIVE_BACK, {"task_id": task_id})


def drop_flag(connection: Connection, key: str) -> None:
    """Remove a flag in the very transaction that does what it stood for."""
    flag = _wait_for(connection, key)
    if flag is not None:
        connection.execute(delete(task_flag).where(task_flag.c.systemevent_id == flag["systemevent_id"]))
        connection.execute(delete(systemevent).where(systemevent.c.systemevent_id == flag["systemevent_id"]))


def standing_flags(connection: Connection, prefix: str) -> list[str]:
    """Return the keys that begin with `prefix` of all flags that are not over, whoever has set them."""
    return list(connection.execute(_STANDING, {"prefix": prefix}).scalars())


def remove_flags_that_are_over(connection: Connection) -> None:
    """Tidy up, without waiting for anybody. Cheap: there are hardly ever any flags."""
    connection.execute(_REMOVE)


def _inserted(connection: Connection, values: Mapping[str, Any]) -> bool:
    [systemevent_id] = allocate_ids(connection, systemevent, 1)
    if not connection.execute(_INSERT, {**values, "systemevent_id": systemevent_id}).rowcount:
        return False
    connection.execute(insert(task_flag).values(systemevent_id=systemevent_id))
    return True


def _wait_for(connection: Connection, key: str) -> RowMapping | None:
    return connection.execute(_WAITING, {"key": key}).mappings().one_or_none()
