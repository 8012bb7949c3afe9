"""A private Dovecot with mailboxes of one's own, for the demo and the tests: an IMAP server as users have it.

Nothing of it runs as root. On Debian and Ubuntu it comes from the distribution's packages, unpacked into a cache.
https://doc.dovecot.org/2.3/configuration_manual/
"""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from batchtask.local.accounts import reachable_directory, server_account
from batchtask.local.certificates import write_certificates
from batchtask.local.debian import Download, distribution, is_debian, package_cache
from batchtask.local.errors import SourceFailed
from batchtask.local.files import private_directory
from batchtask.local.processes import Account, ServerProcess, free_port
from batchtask.local.rabbitmq import accepts

INSTALLED = Path("/usr/lib/dovecot")
#: Its configuration language is another one from 2.4 on.
KNOWN = "2.3."
WANTED = re.compile(r"dovecot-(core|imapd)$|lib")
#: Compiled into the programs. A link of the same length takes its place in those that were unpacked.
COMPILED_IN, LINK = b"/usr/lib/dovecot", "/tmp/dv-{:.8}"  # noqa: S108 - the name is made up at random
LINK_FILE = "link"
#: A socket's path has 107 octets at most, and the longest name that Dovecot puts below its folder 24:
#: https://man7.org/linux/man-pages/man7/unix.7.html
LONGEST_SOCKET_FOLDER = 80

CONFIGURATION = """\
protocols = imap
listen = 127.0.0.1
base_dir = {sockets}
state_dir = {folder}/state
log_path = /dev/stderr
libexec_dir = {programs}
mail_plugin_dir = {programs}/modules
import_environment = TZ LD_LIBRARY_PATH
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
mail_max_userip_connections = 50
auth_mechanisms = plain login
auth_failure_delay = 0
disable_plaintext_auth = yes
ssl = {ssl}
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
  }}
}}
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
}}
{more}
"""


@dataclass(frozen=True)
class MailInstallation:
    """Where the programs of one Dovecot are."""

    root: Path  #: of the tree: / for an installed one
    programs: Path  #: its libexec folder, by the name that is compiled in

    @property
    def library_path(self) -> str:
        libraries = [self.programs, *self.root.glob("usr/lib/*-linux-*"), *self.root.glob("lib/*-linux-*")]
        return "" if self.root == Path("/") else ":".join(map(str, libraries))


def mail_installation(
    directory: Path, environ: Mapping[str, str], announce: Callable[[str], None]
) -> MailInstallation:
    """Find a Dovecot on this machine, in the cache, or in the distribution's packages.

    Raises:
        SourceFailed: There is none that we know how to start; the text says why.
    """
    installed = MailInstallation(Path("/"), INSTALLED)
    if (installed.programs / "imap").exists() and _version(installed).startswith(KNOWN):
        return installed
    if not is_debian(environ):
        raise SourceFailed("Dovecot", f"install version {KNOWN}x; only on Debian and Ubuntu it is fetched")
    cache = reachable_directory(package_cache(directory, environ) / "dovecot", server_account())
    trees = sorted(cache.glob(f"dovecot-{KNOWN}*-{distribution()}"))
    return _linked(trees[-1] if trees else _unpacked(cache, environ, announce))


def _unpacked(cache: Path, environ: Mapping[str, str], announce: Callable[[str], None]) -> Path:
    announce("Dovecot: unpacking the distribution's packages without installing them (once, about 6 MB)")
    with tempfile.TemporaryDirectory(prefix=".new-", dir=cache) as work:
        tree = Path(work, "tree")
        _Packages(Path(work), environ).unpack_packages(tree)
        link = LINK.format(secrets.token_hex(4))
        _relocate(tree, link)
        (tree / LINK_FILE).write_text(link)
        tree.chmod(0o755)
        version = _version(MailInstallation(tree, tree / "usr/lib/dovecot"))
        if not version.startswith(KNOWN):
            raise SourceFailed("Dovecot", f"this distribution has {version}; {KNOWN}x is known")
        target = cache / f"dovecot-{version}-{distribution()}"
        if not target.exists():
            tree.rename(target)
    return target


class _Packages(Download):
    def _packages(self) -> set[str]:
        return {"dovecot-core", "dovecot-imapd", *filter(WANTED.match, self._missing("dovecot-imapd"))}


def _relocate(tree: Path, link: str) -> None:
    for path in tree.glob("usr/**/*"):
        if path.is_file() and not path.is_symlink() and COMPILED_IN in (octets := path.read_bytes()):
            path.write_bytes(octets.replace(COMPILED_IN, link.encode()))


def _linked(tree: Path) -> MailInstallation:
    """Make the programs find one another; nobody but the owner of the link can turn it elsewhere."""
    link = Path((tree / LINK_FILE).read_text())
    if not os.path.lexists(link):
        link.symlink_to(tree / "usr/lib/dovecot")
    if link.lstat().st_uid != os.geteuid() or link.resolve() != (tree / "usr/lib/dovecot").resolve():
        raise SourceFailed(str(tree), f"{link} is somebody else's; delete the folder and try again")
    return MailInstallation(tree, link)


def _version(installation: MailInstallation) -> str:
    run = subprocess.run(
        [installation.root / "usr/sbin/dovecot", "--version"],
        env={"LD_LIBRARY_PATH": installation.library_path},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.partition(" ")[0].strip()


@dataclass(kw_only=True)
class Dovecot:
    """One private server. Ports stay the same over `kill` and `start`; use it as a context manager.

    Args:
        installation: Whose programs to run.
        directory: For its files; when we are root, they may lie elsewhere, see `reachable_directory`.
        passwords: Of each user, by name.
        more: Further lines of its configuration.
    """

    installation: MailInstallation
    directory: Path
    passwords: Mapping[str, str]
    ssl: str = "yes"
    more: str = ""
    port: int = field(default_factory=free_port)  #: STARTTLS
    imaps_port: int = field(default_factory=free_port)  #: TLS from the start
    _numbers: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False)
    _server: ServerProcess = field(init=False, repr=False)
    _account: Account | None = field(init=False, repr=False)
    _sockets: Path = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._account = server_account()
        self.directory = reachable_directory(self.directory, self._account) / "dovecot"
        for folder in (self.directory, *(self.directory / name for name in ("run", "state", "mail"))):
            private_directory(folder)
        self._sockets = self._socket_folder()
        write_certificates(self.directory)
        self._write("users", "".join(f"{name}:{{PLAIN}}{word}::::::\n" for name, word in self.passwords.items()))
        self._write("dovecot.conf", self._configuration())
        self._own(self.directory)
        root, configuration = self.installation.root, self.directory / "dovecot.conf"
        # It would look for doveconf where the packages put it.
        self._server = ServerProcess(
            [root / "usr/bin/doveconf", "-f", "service=master", "-c", configuration, "-m", "master", "-p",
             "-e", root / "usr/sbin/dovecot", "-F", "-c", configuration],
            environ={"LD_LIBRARY_PATH": self.installation.library_path, "PATH": "/usr/bin:/bin", "TZ": "UTC"},
            log=self.directory.parent / "dovecot.log",
            account=self._account,
        )  # fmt: skip

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.pem"

    def start(self) -> None:
        """Start it on what mailboxes there are, and wait until it answers."""
        self._server.start(lambda: accepts(self.port))

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        """End it with SIGKILL, sessions and all."""
        self._server.kill()

    def deliver(
        self, user: str, messages: Iterable[tuple[bytes, datetime]], folder: str = "", *, flags: str = ""
    ) -> None:
        """Put messages into a mailbox, each with the time it came; of INBOX, or of a folder by its name on disk.

        Args:
            user: Whose.
            messages: Octets, as they came.
            folder: Such as `Archive` or `Archive.2026`, in modified UTF-7.
            flags: Letters of Maildir: S seen, R answered, F flagged.
        """
        maildir = self.maildir(user, folder)
        for name in ("cur", "new", "tmp"):
            (maildir / name).mkdir(parents=True, exist_ok=True)
        for octets, came_at in messages:
            # Messages get their numbers in the order of these names.
            path = maildir / "cur" / f"{time.time_ns()}.{next(self._numbers):06}.batchtask:2,{flags}"
            path.write_bytes(octets)
            os.utime(path, (came_at.timestamp(), came_at.timestamp()))
        self._own(self.directory / "mail" / user)

    def subscribe(self, user: str, folder: str) -> None:
        """Let a user see a folder, named in modified UTF-7."""
        with (self.maildir(user) / "subscriptions").open("a") as file:
            file.write(f"{folder}\n")
        self._own(self.directory / "mail" / user)

    def maildir(self, user: str, folder: str = "") -> Path:
        """Return where a mailbox is kept: https://doc.dovecot.org/2.3/admin_manual/mailbox_formats/maildir/."""
        maildir = self.directory / "mail" / user / "Maildir"
        return maildir / f".{folder}" if folder else maildir

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _socket_folder(self) -> Path:
        """Below a long path it gets a folder elsewhere, that goes with the server."""
        folder = self.directory / "run"
        if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
            folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._own(folder)
        return folder

    def _configuration(self) -> str:
        uid = self._account.uid if self._account else os.geteuid()
        gid = self._account.gid if self._account else os.getegid()
        return CONFIGURATION.format(
            folder=self.directory,
            sockets=self._sockets,
            programs=self.installation.programs,
            user=pwd.getpwuid(uid).pw_name,
            group=grp.getgrgid(gid).gr_name,
            ssl=self.ssl,
            port=self.port,
            imaps_port=self.imaps_port,
            more=self.more,
        )

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def _own(self, folder: Path) -> None:
        if self._account is None:
            return
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, self._account.uid, self._account.gid)
