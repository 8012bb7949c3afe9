"""Commands about who may call the web application: passwords of users, and tokens of programs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from batchtask.cli import render, render_users
from batchtask.cli.context import LARGEST_INTEGER, AsJson, database, out, print_json
from batchtask.errors import SettingsError

commands = typer.Typer(
    name="user",
    help="Who may call the web application: set a password, make, list and revoke service tokens.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="The user's login name in the CRM.")]

#: Ten years; who wants more wants a token without an end.
LONGEST_DAYS = 3660


@commands.command()
def password(
    name: Name,
    from_stdin: Annotated[bool, typer.Option("--stdin", help="Read the first line of standard input.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the password away instead.")] = False,
) -> None:
    """Set a user's password, asked for at a prompt; their sessions end."""
    from batchtask.http.web_users import remove_password, set_password

    if remove:
        with database() as engine:
            user = remove_password(engine, name)
        out.print(f"{render.escape(user.name)} has no password any more; their sessions end within 30 s.")
        return
    secret = _read_password(from_stdin)
    with database() as engine:
        user = set_password(engine, name, secret)
    out.print(f"The password of {render.escape(user.name)} is set; sessions with the old one end within 30 s.")


@commands.command()
def token(
    name: Name,
    note: Annotated[str, typer.Option(help="What it is for, for whoever looks after it later.")],
    days: Annotated[int | None, typer.Option(help="It expires after so many.", min=1, max=LONGEST_DAYS)] = None,
) -> None:
    """Make a token for a program that acts as a user, and print it. It is shown this once, and kept nowhere."""
    from batchtask.http.service_tokens import issue_token

    if not note.strip():
        raise SettingsError(["the note is empty: say what the token is for"])
    with database() as engine:
        token_id, text = issue_token(engine, name, note, days)
    print(text)
    sys.stderr.write(f"This is token {token_id}. To end it: batchtask user revoke {token_id}\n")


@commands.command()
def tokens(as_json: AsJson = False) -> None:
    """List all service tokens: as whom each acts, until when, and when it was last used."""
    from batchtask.http.service_tokens import all_tokens

    with database() as engine:
        rows = all_tokens(engine)
    return print_json(rows) if as_json else out.print(render_users.service_tokens(rows))


@commands.command()
def revoke(token_id: Annotated[int, typer.Argument(help="The token's id.", min=1, max=LARGEST_INTEGER)]) -> None:
    """End a service token for good, within 30 s."""
    from batchtask.http.service_tokens import revoke_token

    with database() as engine:
        revoke_token(engine, token_id)
    out.print(f"Token {token_id} is revoked.")


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise SettingsError(["there is nobody to ask for the password: pipe it in, and add --stdin"])
    return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
