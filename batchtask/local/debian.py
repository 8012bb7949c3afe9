"""RabbitMQ without root on Debian and Ubuntu: the distribution's own packages, unpacked into a cache.

Nothing is installed and the system's package state is not changed; apt works in directories of ours.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from batchtask.local.errors import SourceFailed
from batchtask.local.rabbitmq import OLDEST_VERSION, BrokerInstallation, broker_in_tree, version_key

SERVER = "rabbitmq-server"
DOWNLOAD_SECONDS = 300.0
#: Erlang is taken as a whole, because its start script knows one root only; a library only when missing.
ALWAYS, WHEN_MISSING = re.compile(r"erlang-"), re.compile(r"erlang-|lib|rabbitmq-server$")

#: Hooks of the system's configuration act on the system's lists and caches, which are none of our business.
APT_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
APT::Sandbox::User "{user}";
Acquire::Languages "none";
Dir::Cache "{work}/cache";
Dir::State::status "/var/lib/dpkg/status";
"""
OWN_LISTS = 'Dir::State "{work}/state";\nDir::State::lists "{work}/state/lists";\n'


def is_debian(environ: Mapping[str, str]) -> bool:
    path = environ.get("PATH")
    return bool(shutil.which("apt-get", path=path) and shutil.which("dpkg-deb", path=path))


def unpacked_broker(
    directory: Path, environ: Mapping[str, str], announce: Callable[[str], None]
) -> BrokerInstallation:
    """Return a RabbitMQ unpacked from packages: the one in the cache, or a new one.

    The cache is in the user's cache directory, or in `directory` when that one cannot be written.

    Raises:
        SourceFailed: No network, no such package, or too old a one.
    """
    cache = package_cache(directory, environ)
    if found := _cached(cache):
        return found
    announce("RabbitMQ: unpacking the distribution's packages without installing them (once, about 35 MB)")
    with tempfile.TemporaryDirectory(prefix=".new-", dir=cache) as work:
        version = _Broker(Path(work), environ).unpack(Path(work, "tree"))
        target = cache / f"rabbitmq-{version}-{distribution()}"
        if not target.exists():
            Path(work, "tree").rename(target)  # at once: nobody ever sees half a tree
    return _found(target)


def package_cache(directory: Path, environ: Mapping[str, str]) -> Path:
    """Return the folder that keeps unpacked packages for later runs."""
    home = environ.get("XDG_CACHE_HOME") or (environ.get("HOME") and f"{environ['HOME']}/.cache")
    for path in [*([Path(home, "batchtask")] if home else []), directory / "cache"]:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(path, os.W_OK):
            return path
    raise SourceFailed("packages", "neither the home directory nor the working directory can be written")


def _cached(cache: Path) -> BrokerInstallation | None:
    trees = [_found(tree) for tree in cache.glob(f"rabbitmq-*-{distribution()}")]
    return max(trees, key=lambda one: version_key(one.version), default=None)


def _found(tree: Path) -> BrokerInstallation:
    libraries = [*tree.glob("usr/lib/*-linux-*"), *tree.glob("lib/*-linux-*")]
    found = broker_in_tree(tree, ":".join(str(path) for path in libraries))
    if found is None:
        raise SourceFailed(str(tree), "no RabbitMQ in it; delete it and try again")
    return found


def distribution() -> str:
    """Name the distribution and processor that unpacked packages are for."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(), re.MULTILINE))
    return f"{release.get('ID', 'debian')}{release.get('VERSION_ID', '')}-{os.uname().machine}"


class Download:
    """One download of packages, with apt's state in a directory of its own."""

    def __init__(self, work: Path, environ: Mapping[str, str]) -> None:
        self._work = work
        self._environ = {**environ, "LC_ALL": "C"}
        for name in ("cache/archives/partial", "state/lists/partial", "packages"):
            (work / name).mkdir(parents=True)

    def unpack_packages(self, tree: Path) -> None:
        """Fetch and unpack into `tree`.

        Raises:
            SourceFailed: No network, or no such package.
        """
        try:
            self._configure()
            self._fetch()
        except SourceFailed:
            # The machine's package lists are missing (as in a fresh image) or older than the archive.
            self._configure(OWN_LISTS)
            self._apt("apt-get", "update")
            self._fetch()
        for package in sorted(self._work.glob("packages/*.deb")):
            self._run("dpkg-deb", "-x", str(package), str(tree))

    def _packages(self) -> set[str]:
        """Name the packages to fetch."""
        raise NotImplementedError

    def _fetch(self) -> None:
        self._apt("apt-get", "download", *sorted(self._packages()))

    def _missing(self, package: str) -> Iterator[str]:
        """Name what the machine would have to install with a package."""
        plan = self._apt("apt-get", "--simulate", "--no-install-recommends", "install", package)
        yield from re.findall(r"^Inst (\S+)", plan, re.MULTILINE)

    def _configure(self, more: str = "") -> None:
        user = "root" if os.geteuid() == 0 else ""  # else apt, as root, becomes a user who may not write here
        text = (APT_CONFIGURATION + more).format(work=self._work, user=user)
        (self._work / "apt.conf").write_text(text)

    def _apt(self, program: str, *arguments: str) -> str:
        return self._run(program, f"--config-file={self._work / 'apt.conf'}", *arguments)

    def _run(self, *command: str) -> str:
        try:
            result = subprocess.run(
                command,
                cwd=self._work / "packages",
                env=self._environ,
                capture_output=True,
                text=True,
                timeout=DOWNLOAD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SourceFailed(command[0], f"not done after {DOWNLOAD_SECONDS:g} s") from error
        if result.returncode != 0:
            raise SourceFailed(Path(command[0]).name, result.stderr.strip() or "it failed")
        return result.stdout


class _Broker(Download):
    """RabbitMQ with its Erlang."""

    def unpack(self, tree: Path) -> str:
        """Fetch and unpack into `tree`; return the version of RabbitMQ."""
        self.unpack_packages(tree)
        _relocate(tree / "usr/lib/erlang/bin/erl")
        self._run(str(tree / "usr/lib/erlang/bin/erl"), "-noshell", "-eval", "halt().")
        return _found(tree).version

    def _fetch(self) -> None:
        self._refuse_old(self._candidate())
        super()._fetch()

    def _candidate(self) -> str:
        found = re.search(r"^Version: (?:\d+:)?(\S+)", self._apt("apt-cache", "show", SERVER), re.MULTILINE)
        return found[1] if found else ""

    def _refuse_old(self, version: str) -> None:
        if version_key(version) < OLDEST_VERSION:
            raise SourceFailed("packages", f"this distribution has RabbitMQ {version}, too old")

    def _packages(self) -> set[str]:
        return {SERVER, *filter(WHEN_MISSING.match, self._missing(SERVER)), *self._erlang()}

    def _erlang(self) -> Iterator[str]:
        only_needed = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"]
        options = ["--recurse", *(f"--no-{kind}" for kind in only_needed)]
        for name in self._apt("apt-cache", "depends", *options, SERVER).splitlines():
            if ALWAYS.match(name):
                yield name


def _relocate(start_script: Path) -> None:
    # The only file that names its own place.
    here = 'ROOTDIR=$(cd "$(dirname "$0")/.." && pwd -P)'
    text = re.sub(r'ROOTDIR="?/usr/lib/erlang"?', lambda _: here, start_script.read_text())
    start_script.write_text(text)
