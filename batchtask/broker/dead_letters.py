"""Setting a delivery aside with the reason, and reading that reason again."""

from __future__ import annotations

from collections.abc import Mapping

from batchtask.broker.consumer import Delivery
from batchtask.identifiers import uuid7
from batchtask.publishing import Message
from batchtask.topology import DEAD

REASON_HEADER = "batchtask-reason"
QUEUE_HEADER = "batchtask-queue"
#: The broker's word for it.
DELIVERY_LIMIT = "delivery_limit"


def dead_letter(delivery: Delivery, queue: str, reason: str) -> Message:
    """Make the message that sets a delivery aside; settle the delivery once this is confirmed."""
    return Message(
        exchange=DEAD.name,
        routing_key="",
        body=delivery.body,
        message_id=delivery.message_id or str(uuid7()),
        type=delivery.type,
        content_type="application/octet-stream",
        headers={REASON_HEADER: reason[:1000], QUEUE_HEADER: queue},
    )


def reason_and_queue(delivery: Delivery) -> tuple[str, str]:
    """Say why and where a message was set aside, by us or by the broker itself."""
    headers = delivery.headers
    if REASON_HEADER in headers:
        return str(headers[REASON_HEADER]), str(headers.get(QUEUE_HEADER, ""))
    death = _death(delivery)
    reason = str(death.get("reason", "unknown"))
    if reason == DELIVERY_LIMIT:
        reason = "The message was given back too often: whoever took it died or lost its connection each time."
    return reason, str(death.get("queue", ""))


def given_back_too_often(delivery: Delivery) -> bool:
    """Whether the broker set the message aside by its delivery limit, which says nothing about the message itself."""
    return REASON_HEADER not in delivery.headers and _death(delivery).get("reason") == DELIVERY_LIMIT


def _death(delivery: Delivery) -> Mapping[str, object]:
    """The broker's account of the newest death, by its header: https://www.rabbitmq.com/docs/dlx#effects ."""
    deaths = delivery.headers.get("x-death")
    # Whoever publishes may have put anything there.
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
