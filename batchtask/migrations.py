"""Bringing a database and a broker to the shape that this release needs; safe to repeat and to run twice at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from batchtask.database import database_errors, make_engine
from batchtask.errors import SettingsError

SCRIPTS = Path(__file__).resolve().parent.parent / "alembic"


def upgrade(database_url: str, revision: str = "head") -> None:
    """Migrate the database, in one transaction.

    Raises:
        StoreUnavailable: The database does not answer.
        SettingsError: The migrations are not installed beside this package.
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
        raise SettingsError([f"no migrations at {scripts}: run `batchtask migrate` from a checkout or the image"])
    config = Config()
    config.set_main_option("script_location", str(scripts))
    return config
