"""Pages of another origin that embed the indicator, in a real Chromium."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.sync_api import Page

from batchtask.database import make_engine
from batchtask.http.service_tokens import issue_token
from tests.crm_support import add_user, crm_rows

#: What a cautious page around us allows: modules of the server, calls to it, and no style but its own sheets.
POLICY = "default-src 'none'; script-src {server} 'unsafe-inline'; connect-src {server}; style-src 'self'"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Somebody's CRM</title>
<script>
  window.heard = [];
  addEventListener("batchevent", ({{ detail, target }}) => window.heard.push({{
    kind: detail.kind, first: detail.first, id: detail.task.id, percent: detail.task.percent, from: target.localName
  }}));
</script>
<script type="module" src="{server}/pages/indicator.js"></script></head>
<body><h1>CRM</h1><p>Before {element} after</p></body></html>
"""


def token_of(database_url: str, name: str) -> tuple[int, str]:
    """Add a user to the CRM; return their associate id, and a token that acts as them."""
    with crm_rows(database_url) as add:
        associate_id = add_user(add, name)
    engine = make_engine(database_url)
    _, token = issue_token(engine, name, "for a test")
    engine.dispose()
    return associate_id, token


def embedded(server: str, attributes: str, policy: str = POLICY) -> dict[str, Any]:
    """Make a page with an indicator, as `other_origin` serves it."""
    element = f"<batch-task-indicator {attributes}></batch-task-indicator>"
    return {"page": _PAGE.format(server=server, element=element), "policy": policy.format(server=server)}


@contextmanager
def other_origin(**pages: Mapping[str, Any]) -> Iterator[str]:
    """Serve pages made by `embedded` under their names, at an origin of their own; give its URL."""
    wanted = {f"/{name}": page for name, page in pages.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = wanted.get(self.path)
            self.send_response(200 if page else 404)
            if page:
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", page["policy"])
            self.end_headers()
            self.wfile.write(page["page"].encode() if page else b"")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        # Another host than 127.0.0.1 to a browser, and so another site, too.
        yield f"http://localhost:{listener.server_address[1]}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def heard(page: Page, kind: str = "") -> list[dict[str, Any]]:
    """Return the events that the page has heard, of one kind or of all."""
    events: list[dict[str, Any]] = page.evaluate("window.heard")
    return [event for event in events if not kind or event["kind"] == kind]
