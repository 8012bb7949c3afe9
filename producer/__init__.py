"""Submitting tasks from a web tier.

Pick `producer.blocking` (pika) or `producer.aio` (aio-pika), and `producer.outbox` to submit within a transaction of
your own; the names here are pure.
"""

from producer.task_request import TaskRequest

__all__ = ["TaskRequest"]
