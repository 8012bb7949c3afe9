"""Commands about the keys that seal the passwords of mail accounts."""

from __future__ import annotations

import os
import sys

import typer

from batchtask.cli.context import database, out
from batchtask.errors import SettingsError
from batchtask.settings import Settings

commands = typer.Typer(
    name="secret",
    help="Passwords that the database keeps: make a key, seal one, seal all anew.",
    no_args_is_help=True,
)


@commands.command("new-key")
def new_key() -> None:
    """Print a new key for BATCHTASK_SECRET_KEYS. To change keys, put it before the old one, then `secret rotate`."""
    from cryptography.fernet import Fernet

    print(Fernet.generate_key().decode())


@commands.command()
def seal() -> None:
    """Read a password, from a prompt or standard input, and print what to write into service_auth.password."""
    from batchtask.sealing import Sealer

    password = typer.prompt("Password", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    secret = password.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise SettingsError(["there is no password: give it on standard input"])
    print(Sealer(Settings.read(os.environ).secret_keys).seal(secret))


@commands.command()
def rotate() -> None:
    """Seal every password of crm7.service_auth with the first key. Then the others may go. Safe at any time."""
    from batchtask.sealing import Sealer, seal_anew

    with database() as engine:
        count, unreadable = seal_anew(engine, Sealer(Settings.read(os.environ).secret_keys))
    out.print(f"{count} passwords are sealed with the first key.")
    if unreadable:
        numbers = ", ".join(map(str, unreadable))
        raise SettingsError([f"no key opens the passwords of service_auth {numbers}: they have to be entered anew"])
