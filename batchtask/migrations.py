"""Bringing a database and a broker to the shape that this release needs; safe to repeat and to run twice at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alembic import command, op
from alembic.config import Config
from sqlalchemy import text

from batchtask.database import database_errors, make_engine
from batchtask.errors import SettingsError

_HERE = Path(__file__).resolve().parent
#: In a checkout beside the packages; a wheel holds them inside, for its neighbour `alembic` is the library.
SCRIPTS = next(
    (folder for folder in (_HERE.parent / "alembic", _HERE / "alembic_scripts") if (folder / "env.py").exists()),
    _HERE / "alembic_scripts",
)


def upgrade(database_url: str, revision: str = "head") -> None:
    """Migrate the database, in one transaction.

    Raises:
        StoreUnavailable: The database does not answer.
        SettingsError: The migrations are not installed with this package.
    """
    config = config_for(SCRIPTS)
    engine = make_engine(database_url)
    try:
        with database_errors(), engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            connection.commit()
    finally:
        engine.dispose()


def config_for(scripts: Path) -> Config:
    """Return alembic's configuration for a folder of migrations."""
    if not (scripts / "env.py").exists():
        raise SettingsError([f"no migrations at {scripts}: install batchtask anew"])
    config = Config()
    config.set_main_option("script_location", str(scripts))
    return config


def number_tables(numbers: Mapping[str, int]) -> None:
    """Let the CRM's id allocation know new tables of `crm7`. For migrations.

    Args:
        numbers: The tables' numbers by their names as the CRM writes them; a row of the allocation has ten more.
    """
    for name, number in numbers.items():
        row = text("INSERT INTO crm7.sequence VALUES (:number + 10, 1, :name, :number)")
        op.execute(row.bindparams(name=name, number=number))


def drop_numbered_tables(numbers: Mapping[str, int]) -> None:
    """Undo a migration that made these tables and called `number_tables`."""
    for name, number in numbers.items():
        op.execute(f"DROP TABLE crm7.{name}")
        op.execute(text("DELETE FROM crm7.sequence WHERE tablenumber = :number").bindparams(number=number))
