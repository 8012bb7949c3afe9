"""Everything durable that is declared on the broker, as data; nothing durable is declared anywhere else.

Every argument is explicit, because a default of the broker may change under us; queues are quorum queues, so that a
confirm means a majority has the message on disk: https://www.rabbitmq.com/docs/quorum-queues.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Guard against a message that brings down every worker; attempts are counted in the stream. Broker 4's default.
DELIVERY_LIMIT = 20
#: What a projection has not stored may be redelivered as often as it takes: it is the news itself.
NO_DELIVERY_LIMIT = 1_000_000


@dataclass(frozen=True)
class Exchange:
    name: str
    type: str


@dataclass(frozen=True)
class Binding:
    exchange: str
    routing_key: str


@dataclass(frozen=True)
class Queue:
    name: str
    arguments: Mapping[str, object]
    bindings: tuple[Binding, ...]


@dataclass(frozen=True)
class Topology:
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...] = field(default=())


COMMANDS = Exchange("batchtask.commands", "topic")
EVENTS = Exchange("batchtask.events", "topic")
DEAD = Exchange("batchtask.dead", "fanout")
#: News for workers, such as a wish to cancel; each has an exclusive queue on it. Hints only: the stream decides.
CONTROL = Exchange("batchtask.control", "fanout")

SUBMIT_KEY = "submit"
#: For tasks that shall start later: recorded at once, released when they are due.
LATER_KEY = "later"
#: For tasks whose wait is over. The projections have recorded them, so only workers get this.
RELEASE_KEY = "release"
CANCEL_KEY = "cancel"
EVENTS_KEY = "events"


def _quorum(delivery_limit: int, **more: object) -> dict[str, object]:
    return {"x-queue-type": "quorum", "x-delivery-limit": delivery_limit, **more}


TASKS_QUEUE = Queue(
    name="batchtask.tasks",
    arguments=_quorum(
        DELIVERY_LIMIT,
        **{
            "x-dead-letter-exchange": DEAD.name,
            # At-least-once needs reject-publish: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    ),
    bindings=(Binding(COMMANDS.name, SUBMIT_KEY), Binding(COMMANDS.name, RELEASE_KEY)),
)

PROJECTIONS_QUEUE = Queue(
    name="batchtask.projections",
    arguments=_quorum(NO_DELIVERY_LIMIT),
    bindings=(
        Binding(COMMANDS.name, SUBMIT_KEY),
        Binding(COMMANDS.name, LATER_KEY),
        Binding(COMMANDS.name, CANCEL_KEY),
        Binding(EVENTS.name, EVENTS_KEY),
    ),
)

DEAD_QUEUE = Queue(
    name="batchtask.dead",
    arguments=_quorum(NO_DELIVERY_LIMIT),
    bindings=(Binding(DEAD.name, ""),),
)

TOPOLOGY = Topology(
    exchanges=(COMMANDS, EVENTS, DEAD, CONTROL),
    queues=(TASKS_QUEUE, PROJECTIONS_QUEUE, DEAD_QUEUE),
)
