"""A database of a measurement's own on the servers that there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import make_url

from batchtask.migrations import upgrade


@contextmanager
def migrated_database(server_url: str) -> Iterator[str]:
    """Give the URL of a migrated database for as long as the context lasts."""
    plain = make_url(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
    name = f"bench_{os.getpid()}"
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    try:
        upgrade(url)
        yield url
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
