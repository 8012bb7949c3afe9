"""A Chromium for the tests of the pages and for their screenshots: an installed one, or the distribution's package.

Nothing is installed: on Debian and Ubuntu the package and the libraries that the machine lacks are unpacked into a
cache, as for RabbitMQ; see `debian.py`.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batchtask.local.debian import Download, distribution, is_debian, package_cache
from batchtask.local.errors import SourceFailed

COMMANDS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
PACKAGE = "chromium"
#: Of what the machine lacks: drivers of graphics cards are not needed, and its C library must stay the machine's own.
WANTED = re.compile(r"chromium(-common)?$|lib(?!c6$|c-bin$|llvm|z3|gl1-mesa)|fontconfig-config$|fonts-dejavu")
#: Some libraries lie deeper than the folder of all others.
LIBRARY_FOLDERS = ("", "pulseaudio", "nss")
VERSION_SECONDS = 60

#: Without the last five it speaks to the world by itself, which on a machine without one takes time and fails.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps",
)  # fmt: skip

FONTS = """\
<?xml version="1.0"?>
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir prefix="relative">usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""


@dataclass(frozen=True)
class ChromiumInstallation:
    """A Chromium that starts."""

    program: Path
    version: str
    environ: Mapping[str, str]  #: what it needs beside the caller's own variables


def chromium_installation(
    directory: Path, environ: Mapping[str, str], announce: Callable[[str], None]
) -> ChromiumInstallation:
    """Find a Chromium on this machine, in the cache, or in the distribution's packages.

    Args:
        directory: Takes the cache when the user's cache directory cannot be written.
        environ: `PATH`, `HOME`, `XDG_CACHE_HOME`.
        announce: Told in one line when something is fetched.

    Raises:
        SourceFailed: There is none; the text says why.
    """
    for name in COMMANDS:
        if found := shutil.which(name, path=environ.get("PATH")):
            return ChromiumInstallation(Path(found), _version(Path(found), {}), {})
    if not is_debian(environ):
        raise SourceFailed("Chromium", "install it; only on Debian and Ubuntu it is fetched")
    cache = package_cache(directory, environ)
    with _alone(cache / ".chromium.lock"):  # two processes of one test run would fetch it twice
        return _cached(cache) or _unpacked(cache, environ, announce)


def _cached(cache: Path) -> ChromiumInstallation | None:
    """Find the newest that starts; others stood on libraries of the machine that are gone, and are thrown away."""
    for tree in sorted(cache.glob(f"chromium-*-{distribution()}"), reverse=True):
        try:
            return _found(tree)
        except SourceFailed:
            shutil.rmtree(tree)
    return None


def _unpacked(cache: Path, environ: Mapping[str, str], announce: Callable[[str], None]) -> ChromiumInstallation:
    announce("Chromium: unpacking the distribution's packages without installing them (once, about 120 MB)")
    with tempfile.TemporaryDirectory(prefix=".new-", dir=cache) as work:
        tree = Path(work, "tree")
        _Packages(Path(work), environ).unpack_packages(tree)
        (tree / "fonts.conf").write_text(FONTS)
        tree.chmod(0o755)
        target = cache / f"chromium-{_found(tree).version}-{distribution()}"
        tree.rename(target)
    return _found(target)


class _Packages(Download):
    def _packages(self) -> set[str]:
        return {PACKAGE, *filter(WANTED.match, self._missing(PACKAGE))}


def _found(tree: Path) -> ChromiumInstallation:
    program = tree / "usr/lib/chromium/chromium"
    if not program.exists():
        raise SourceFailed("Chromium", "the distribution's package holds no program; install a Chromium")
    environ = {"LD_LIBRARY_PATH": ":".join(map(str, _library_folders(tree)))}
    if not Path("/etc/fonts/fonts.conf").exists():
        environ["FONTCONFIG_FILE"] = str(tree / "fonts.conf")
    return ChromiumInstallation(program, _version(program, environ), environ)


def _library_folders(tree: Path) -> Iterator[Path]:
    for base in (*tree.glob("usr/lib/*-linux-*"), *tree.glob("lib/*-linux-*")):
        yield from (base / name for name in LIBRARY_FOLDERS if (base / name).is_dir())


def _version(program: Path, environ: Mapping[str, str]) -> str:
    """Ask the program for its version, which proves that it finds its libraries."""
    run = subprocess.run(
        [program, "--version"],
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        timeout=VERSION_SECONDS,
        check=False,
    )
    found = re.search(r"(\d+(?:\.\d+)+)", run.stdout)
    if run.returncode != 0 or found is None:
        raise SourceFailed(str(program), run.stderr.strip() or "it does not start")
    return found[1]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
