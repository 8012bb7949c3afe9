"""Submitting tasks from a web tier.

Pick `producer.blocking` (pika) or `producer.aio` (aio-pika); the names here are pure.
"""

from producer.submission import TaskRequest

__all__ = ["TaskRequest"]
