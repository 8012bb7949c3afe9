"""RabbitMQ releases that the machine does not have: Debian's packages, unpacked once under `var/`.

Neither root nor an installation is needed: bubblewrap shows a tree to its broker as the root. `python -m
tests.broker_trees` makes all of them ahead of time; a test makes the one it needs.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchtask.local.rabbitmq import BrokerInstallation, broker_in_tree

TREES = Path(__file__).resolve().parents[1] / "var" / "brokers"
#: Which release of Debian has which release of RabbitMQ; what lies between them differs in nothing that we use.
SUITES = {"4.0": "trixie", "4.3": "sid"}
#: What the start scripts of Erlang and RabbitMQ call besides what their packages depend on.
SHELL = ("base-files", "bash", "dash", "coreutils", "sed", "grep", "mawk", "hostname", "findutils", "procps")
APT_SECONDS = 300.0

#: apt in directories of ours, on an archive that the machine uses, without the hooks of the machine's configuration.
APT_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
APT::Sandbox::User "{user}";
Acquire::Languages "none";
Dir::Cache "{work}/cache";
Dir::State "{work}/state";
Dir::State::lists "{work}/state/lists";
Dir::State::status "{work}/status";
Dir::Etc::SourceList "{work}/sources.list";
Dir::Etc::SourceParts "-";
"""


class NoTree(Exception):
    """Why this release cannot be had on this machine."""


def installation(release: str) -> BrokerInstallation:
    """Return the programs of a release, `4.0` or `4.3`; unpacks them first where that was not done before.

    Raises:
        NoTree: It cannot be had here.
    """
    tree = TREES / SUITES[release]
    with _lock():
        if not tree.exists():
            _make(tree, SUITES[release])
    found = broker_in_tree(tree)
    if found is None:
        raise NoTree(f"{tree} has no RabbitMQ: delete it and try again")
    if not found.version.startswith(release):
        raise NoTree(f"Debian {SUITES[release]} has RabbitMQ {found.version} by now")
    return BrokerInstallation(
        sbin=Path("/", found.sbin.relative_to(tree)),
        erlang_bin=Path("/", found.erlang_bin.relative_to(tree)),
        version=found.version,
        wrapper=_inside(tree),
    )


def _inside(tree: Path) -> tuple[str, ...]:
    """The command that runs another one with the tree as root; temporary files are the machine's."""
    if not (bubblewrap := shutil.which("bwrap")):
        raise NoTree("it needs bubblewrap: apt-get install bubblewrap")
    shared = tempfile.gettempdir()
    return (
        *(bubblewrap, "--die-with-parent", "--ro-bind", str(tree), "/", "--dev", "/dev", "--proc", "/proc"),
        *("--tmpfs", "/run", "--bind", shared, shared, "--ro-bind", "/etc/hosts", "/etc/hosts", "--"),
    )


@contextmanager
def _lock() -> Iterator[None]:
    TREES.mkdir(parents=True, exist_ok=True)
    with (TREES / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(tree: Path, suite: str) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise NoTree("the packages of another release need apt-get and dpkg-deb")
    with tempfile.TemporaryDirectory(prefix=".new-", dir=TREES) as directory:
        work = Path(directory)
        for name in ("cache/archives/partial", "state/lists/partial", "packages", "tree/etc"):
            (work / name).mkdir(parents=True)
        _configure(work, suite)
        _apt(work, "update")
        plan = _apt(work, "--simulate", "--no-install-recommends", "install", "rabbitmq-server", *SHELL)
        _apt(work, "download", *re.findall(r"^Inst (\S+)", plan, re.MULTILINE))
        for package in sorted(work.glob("packages/*.deb")):
            _run(work, "dpkg-deb", "-x", str(package), str(work / "tree"))
        for name in ("passwd", "group", "hosts"):
            shutil.copy(Path("/etc", name), work / "tree/etc")
        (work / "tree" / tempfile.gettempdir().lstrip("/")).mkdir(parents=True, exist_ok=True)
        (work / "tree").rename(tree)  # at once: nobody ever sees half a tree


def _configure(work: Path, suite: str) -> None:
    user = "root" if os.geteuid() == 0 else ""
    (work / "apt.conf").write_text(APT_CONFIGURATION.format(work=work, user=user))
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb {_archive()} {suite} main\n")


def _archive() -> str:
    """The Debian archive that this machine itself uses."""
    command = ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"^Debian (\S+)$", listed, re.MULTILINE)
    if found is None:
        raise NoTree("this machine's apt knows no archive of Debian")
    return found[1]


def _apt(work: Path, *arguments: str) -> str:
    return _run(work, "apt-get", f"--config-file={work / 'apt.conf'}", *arguments)


def _run(work: Path, *command: str) -> str:
    try:
        result = subprocess.run(
            command,
            cwd=work / "packages",
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=APT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoTree(f"{command[0]} was not done after {APT_SECONDS:g} s") from error
    if result.returncode != 0:
        raise NoTree(f"{command[0]} {command[-1]}: {result.stderr.strip() or 'it failed'}")
    return result.stdout


if __name__ == "__main__":
    for release in SUITES:
        print(installation(release).version)  # noqa: T201
