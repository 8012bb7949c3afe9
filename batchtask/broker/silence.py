"""When a subscription that gets nothing is taken to be dead. Pure.

A channel may look well while the broker has no consumer of ours any more, or one that it gives nothing to: after an
acknowledgement timeout, for one: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the queue and at ourselves shows."""

    ready: int  #: messages that wait in the queue
    consumers: int  #: that the broker knows of, anybody's
    delivered: int  #: to us, ever
    unsettled: int  #: deliveries in our hands
    prefetch: int


class Silence:
    """Compares each look with the one before; one alone may hit the moment between two deliveries."""

    def __init__(self) -> None:
        self._before: Look | None = None

    def forget(self) -> None:
        """Begin anew: there is no subscription at the moment, or another one."""
        self._before = None

    def judge(self, look: Look) -> str:
        """Say why the subscription must be renewed; empty when there is no reason."""
        before, self._before = self._before, look
        if before is None or look.delivered != before.delivered:
            return ""
        if look.consumers == before.consumers == 0 and (look.ready or not look.unsettled):
            # A queue without a leader shows as empty and unconsumed, too: then what is in hand must stay in hand.
            return "the broker knows no consumer of the queue"
        waits = min(look.ready, before.ready) > 0
        free = max(look.unsettled, before.unsettled) < min(look.prefetch, before.prefetch)
        return f"{look.ready} messages wait and none is delivered" if waits and free else ""
