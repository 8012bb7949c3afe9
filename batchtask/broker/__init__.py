"""The hot path to RabbitMQ: pika's asyncio adapter with one recovery path for everything that can break.

Read `connection`, then `publisher` and `consumer`. Whatever ends a channel (the broker, a cancel, the network)
ends the connection too; a new one is opened, the topology verified, and only then work goes on.
"""

from batchtask.broker.connection import Connection, Lost
from batchtask.broker.consumer import Consumer, Delivery
from batchtask.broker.publisher import Publisher
from batchtask.publishing import Message, publish_all

__all__ = ["Connection", "Consumer", "Delivery", "Lost", "Message", "Publisher", "publish_all"]
