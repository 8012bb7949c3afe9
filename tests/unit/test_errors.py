"""Every error says in one sentence what was seen and what to do, and survives a way between processes."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from batchtask import errors
from batchtask.errors import BatchTaskError, PublishReturned, PublishUnconfirmed
from batchtask.identifiers import new_task_id
from producer.submission import InvalidCancellation, SubmitManyFailed

RETURNED = PublishReturned("01900000", "batchtask.commands", "submit")

EXAMPLES: list[BatchTaskError] = [
    PublishUnconfirmed("01900000", "no confirm before the deadline"),
    RETURNED,
    errors.UnknownTask("mail-murge", ["mail-merge", "sleep"]),
    errors.InvalidParameters("mail-merge", "Expected `int` - at `selection_id`"),
    errors.PayloadTooLarge(70_000, 65_536),
    errors.InvalidSchedule("time zone 'Oslo' is not known here; use a name of the IANA database"),
    errors.ScheduleExists("nightly"),
    errors.ScheduleNotFound("nightly", ["weekly"]),
    InvalidCancellation("CancelTask", "`requested_by` must be a whole number from 1 to 2, not 3"),
    errors.PayloadUnwritable("/srv/payloads/1.json", "read-only file system"),
    errors.MalformedMessage("not a CloudEvents envelope", "01900000"),
    errors.UnknownMessage("unknown message 'Moved' version 2", None),
    errors.WrongExpectedVersion("01900000", 3),
    errors.LeaseLost("01900000", 2),
    errors.StoreUnavailable("connection refused"),
    errors.StoreBusy("canceling statement due to lock timeout"),
    errors.TaskNotFound("01900000"),
    errors.UserNotFound("ann"),
    errors.TokenNotFound(7),
    errors.WorkerNotFound("web1/4711/9f3a2b1c"),
    errors.SecretUnreadable(),
    errors.SettingsError(["BATCHTASK_MAX_TASKS must be from 1 to 1000", "BATCHTASK_X is no setting"]),
    errors.TopologyMismatch("batchtask.tasks", "406 PRECONDITION_FAILED"),
    errors.SchemaMissing("nothing", "0001"),
    errors.BrokerUnavailable("nothing at broker:5672 speaks AMQP", "start RabbitMQ"),
    SubmitManyFailed([new_task_id()], {new_task_id(): RETURNED}),
]


def concrete(cls: type[BatchTaskError]) -> Iterator[type[BatchTaskError]]:
    """The classes of the tree that are raised: its leaves."""
    children = cls.__subclasses__()
    if not children:
        yield cls
    for child in children:
        yield from concrete(child)


def test_every_error_has_an_example_here() -> None:
    known = {
        error for error in concrete(BatchTaskError) if error.__module__ in {"batchtask.errors", "producer.submission"}
    }
    assert known <= {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_with_all_its_fields(error: BatchTaskError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert {name: str(value) for name, value in vars(copy).items()} == {
        name: str(value) for name, value in vars(error).items()
    }


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_is_one_line_that_is_not_its_docstring(error: BatchTaskError) -> None:
    text = str(error)
    assert len(text) > 20
    assert "\n" not in text
    assert text != type(error).__doc__
    assert not text.endswith(".")


def test_a_caller_can_tell_publishing_again_from_mending_the_call() -> None:
    assert issubclass(PublishUnconfirmed, errors.PublishError)
    assert not issubclass(errors.SubmitError, errors.PublishError)
    assert not issubclass(errors.UnknownTask, errors.PublishError)
