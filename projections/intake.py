"""What arrives in the projections' queue, sorted into what the projector takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from batchtask import envelope
from batchtask.broker import Delivery
from batchtask.errors import MessageError
from batchtask.events import RecordedEvent
from batchtask.messages import CancelTask, SubmitTask
from batchtask.store import first_event


@dataclass
class Intake:
    """The content of some deliveries."""

    submitted: list[RecordedEvent] = field(default_factory=list)  #: to be recorded, if a worker was not faster
    events: list[RecordedEvent] = field(default_factory=list)  #: recorded already
    cancels: list[tuple[Delivery, CancelTask]] = field(default_factory=list)
    poison: list[tuple[Delivery, MessageError]] = field(default_factory=list)


def sort_deliveries(deliveries: Iterable[Delivery]) -> Intake:
    """Decode deliveries; what cannot be read is set apart, the rest does not suffer for it."""
    intake = Intake()
    for delivery in deliveries:
        try:
            _sort(delivery, intake)
        except MessageError as error:
            intake.poison.append((delivery, error))
    return intake


def _sort(delivery: Delivery, intake: Intake) -> None:
    if delivery.type == "events":
        intake.events += envelope.decode_events(delivery.body)
        return
    command = envelope.decode_command(delivery.body).command
    match command:
        case SubmitTask():
            intake.submitted.append(first_event(command))
        case CancelTask():
            intake.cancels.append((delivery, command))
