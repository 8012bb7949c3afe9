"""The start flag of publishing: whoever wants to publish sets it first, and it stands until the task has ended.

The web tier calls `start_publishing` for `SetPublishStartSystemEvent`, then `submitting` and submits `publish-udef`
for `Publish`; both commits are its own. What a flag is and how it goes: `batchtask.task_flags`.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from batchtask.identifiers import TaskId
from batchtask.task_flags import give_back_flag, set_flag, standing_flags, take_flag
from batchtask.udef.owners import EVENT_PREFIX, Owner
from batchtask.udef.versions import lock_fields

#: What users are told to expect. A guess: 200 000 records take half a minute.
_LASTS = timedelta(minutes=5)


class PublishingActive(Exception):
    """The fields of an owner are being published: they can be neither edited nor published by others."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label

    def __str__(self) -> str:
        return f"The user-defined fields of {self.label} are being published: wait until that has ended."


def start_publishing(connection: Connection, owner: Owner, associate_id: int) -> None:
    """Set the start flag: from the commit on nobody else edits these fields. Waits for whoever edits them now.

    Repeating it before the task is submitted does no harm. Whoever does not submit within ten minutes loses it.

    Raises:
        PublishingActive: They are being published already.
    """
    message = f"The user-defined fields of {owner.label} are being published."
    if not set_flag(connection, owner.event_key, message=message, associate_id=associate_id, lasts=_LASTS):
        raise PublishingActive(owner.label)
    # Whoever edits had looked for the flag before; whoever comes now looks again behind this lock.
    lock_fields(connection, owner)


def submitting(connection: Connection, owner: Owner, task_id: TaskId) -> bool:
    """Give the flag to the task that is about to be submitted under this id; commit before submitting.

    Without this the task takes the flag when it begins, and a long queue may let the flag run out before.

    Returns:
        False if there is no start flag, or another task has it: `Publish` fails.
    """
    return take_flag(connection, owner.event_key, task_id)


def not_submitted(connection: Connection, task_id: TaskId) -> None:
    """Let another task have the flag, because submitting this one failed: whoever publishes can try again at once."""
    give_back_flag(connection, task_id)


def is_publishing(connection: Connection, owner: Owner) -> bool:
    """Tell whether the fields of an owner are being published, or are about to be."""
    return owner.event_key in standing_flags(connection, owner.event_key)


def is_any_publishing(connection: Connection) -> bool:
    """Tell whether any owner's fields are being published."""
    return bool(standing_flags(connection, EVENT_PREFIX))
