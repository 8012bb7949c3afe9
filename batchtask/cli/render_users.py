"""Who may call the web application, as the terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import RenderableType

from batchtask.cli.render import clock, escape, new_table
from batchtask.http.service_tokens import ServiceToken


def service_tokens(rows: Sequence[ServiceToken]) -> RenderableType:
    """Tokens as a table, one line each; what is over stays, for the question who could call until when."""
    if not rows:
        return "No service tokens."
    table = new_table("Id", "Acts as", "Note", "Made", "Ends", "Last used")
    for row in rows:
        used = clock(row.last_used_at) if row.last_used_at else "[dim]never[/]"
        table.add_row(str(row.id), escape(row.name), escape(row.note), clock(row.created_at), _end(row), used)
    return table


def _end(row: ServiceToken) -> str:
    if row.revoked_at:
        return f"[red]revoked {clock(row.revoked_at)}[/]"
    if row.expires_at is None:
        return "[dim]never[/]"
    over = row.expires_at <= datetime.now(UTC)
    return f"[yellow]expired {clock(row.expires_at)}[/]" if over else clock(row.expires_at)
