"""Where services come from for the demo, the tests and `batchtask up`: read `services.py` first.

Needs psycopg, and nothing else beyond the standard library.
"""

from __future__ import annotations

from batchtask.local.errors import ServicesUnavailable, SourceFailed
from batchtask.local.postgres import PostgreSQL, database_installations
from batchtask.local.rabbitmq import RabbitMQ
from batchtask.local.services import Services, provide
from batchtask.local.sources import broker_installation
from batchtask.local.virtual_hosts import add_virtual_host, delete_virtual_host

__all__ = [
    "PostgreSQL",
    "RabbitMQ",
    "Services",
    "ServicesUnavailable",
    "SourceFailed",
    "add_virtual_host",
    "broker_installation",
    "database_installations",
    "delete_virtual_host",
    "provide",
]
