"""How fast mail is fetched, and how much memory a large attachment takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from batchtask.local.dovecot import Dovecot, mail_installation
from batchtask.sealing import Sealer
from tests.inbox_support import KARI, KEY, NOW, PASSWORD, Desk, letter, letters

MESSAGES = 5_000
ATTACHMENT_BYTES = 50 * 1024 * 1024


def measure(database_url: str, folder: Path) -> dict[str, float]:
    """Measure a first download, a run that finds nothing new, and one that finds 50 MB.

    Args:
        database_url: Of a migrated database of this measurement's own.
        folder: For the mail server's files.

    Raises:
        SourceFailed: There is no mail server here.
    """
    installation = mail_installation(folder, os.environ, lambda _: None)
    server = Dovecot(installation=installation, directory=folder / "mail", passwords={KARI: PASSWORD})
    desk = Desk(database_url, folder)
    with server:
        desk.account(server.port)
        server.deliver(KARI, letters(MESSAGES))
        first_mb, first_seconds = _run(desk, server)
        _, nothing_new_seconds = _run(desk, server)
        server.deliver(KARI, [(_large(), NOW)])
        attachment_mb, _ = _run(desk, server)
    return {
        "first_messages_per_second": MESSAGES / first_seconds,
        "first_peak_rss_mb": first_mb,
        "nothing_new_seconds": nothing_new_seconds,
        "50_mb_attachment_peak_rss_mb": attachment_mb,
    }


def _large() -> bytes:
    text = letter(0).replace(b"Content-Type: text/plain", b'Content-Type: application/zip; name="a.zip"')
    return text + b"x" * 76 * (ATTACHMENT_BYTES // 76)


def _run(desk: Desk, server: Dovecot) -> tuple[float, float]:
    """Run the task in a process of its own; return its peak memory in MB and the seconds that the task took."""
    script = "from tests.benchmarks.tasks_inbox import run_alone; run_alone()"
    given = msgspec.json.encode({"database_url": desk.database_url, "folder": str(desk.folder), "key": KEY})
    environ = {**os.environ, "SSL_CERT_FILE": str(server.ca_file)}
    run = subprocess.run([sys.executable, "-c", script], input=given, env=environ, capture_output=True, check=True)
    answer = msgspec.json.decode(run.stdout, type=dict[str, float])
    return answer["rss_mb"], answer["seconds"]


def run_alone() -> None:
    """Run the task once, with what standard input says, and print what it took."""
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, str])
    desk = Desk(given["database_url"], Path(given["folder"]))
    context = desk.context(sealer=Sealer(given["key"]))
    begin = time.monotonic()
    desk.run(context)
    seconds = time.monotonic() - begin
    # Not getrusage: what it says begins with the peak of whoever started us.
    peak = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    rss_mb = int(peak[1]) / 1024 if peak else 0.0
    sys.stdout.buffer.write(msgspec.json.encode({"rss_mb": rss_mb, "seconds": seconds}))
