"""What the broker's management API says of a queue. Optional: without it some numbers are not known.

https://www.rabbitmq.com/docs/http-api-reference
"""

from __future__ import annotations

import base64
import json
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pika import URLParameters

#: A management API that has not answered by then is not waited for.
ANSWER_SECONDS = 3.0
#: Without this the answer waits for the broker's statistics, which are some seconds old.
QUICK = "?disable_stats=true&enable_queue_totals=true"
UNSETTLED = "messages_unacknowledged"


class NoAnswer(Exception):
    """The management API did not say anything of use; the text says why."""


def ask_queue(management_url: str, amqp_url: str, queue: str, options: str = QUICK) -> dict[str, Any]:
    """Return what is known of a queue. Blocks for up to `ANSWER_SECONDS`.

    Args:
        management_url: `http://user:password@host:15672`.
        amqp_url: Names the virtual host.
        queue: Its name.
        options: `QUICK`, or nothing for all there is.

    Raises:
        NoAnswer: Nothing is known of it.
    """
    answer = _get(management_url, f"{_queues(amqp_url)}/{quote(queue, safe='')}{options}")
    return answer if isinstance(answer, dict) else {}


def unsettled_messages(management_url: str, amqp_url: str) -> dict[str, int]:
    """Return for each queue how many messages somebody has in hand. Blocks for up to `ANSWER_SECONDS`.

    Only the list of all queues has totals without statistics; old brokers leave them out, and the queue is missing.

    Raises:
        NoAnswer: Nothing is known.
    """
    answer = _get(management_url, _queues(amqp_url) + QUICK)
    found = answer if isinstance(answer, list) else []
    return {one["name"]: one[UNSETTLED] for one in found if isinstance(one.get(UNSETTLED), int)}


def _queues(amqp_url: str) -> str:
    return f"/api/queues/{quote(URLParameters(amqp_url).virtual_host, safe='')}"


def _get(management_url: str, path: str) -> Any:
    try:
        return _ask(management_url, path)
    except (OSError, HTTPException, ValueError) as error:
        raise NoAnswer(str(error)) from error


def _ask(management_url: str, path: str) -> Any:
    url = urlsplit(management_url)
    host = url.netloc.rpartition("@")[2]
    request = urllib.request.Request(f"{url.scheme}://{host}{url.path.rstrip('/')}{path}")  # noqa: S310 - as settings check
    login = f"{unquote(url.username or '')}:{unquote(url.password or '')}"
    request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310
        return json.load(response)
