"""The fork server's children: ours, and what those that died have left behind, which is killed.

A child adopts the orphans of what it starts, see `descendants`; when the child dies by itself, the fork server does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from worker.children.descendants import children, kill_tree


class Family:
    """One for the process, as `multiprocessing` has one fork server for the process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._members: set[int] = set()
        self._being_born = 0
        self._died = False
        self._server = 0

    @contextmanager
    def birth(self) -> Iterator[None]:
        """Surround the start of a child up to `add`: so long nobody can tell it from an orphan."""
        self._being_born += 1
        try:
            yield
        finally:
            self._being_born -= 1
            if self._died:
                self._bury()

    def add(self, pid: int) -> None:
        self._members.add(pid)

    def meet(self, server: int) -> None:
        """Note the fork server, as a child sees it."""
        self._server = server

    def remove(self, pid: int) -> None:
        """Note that a child has died, and kill what it has left behind, now or when a birth is over."""
        self._members.discard(pid)
        self._died = True
        self._bury()

    def _bury(self) -> None:
        if self._being_born:
            return
        self._died = False
        if self._server not in children(os.getpid()):
            return  # it is dead, too: somebody else has adopted, who has children that are none of our business
        killed: set[int] = set()
        while orphans := set(children(self._server)) - self._members - killed:
            for orphan in orphans:
                kill_tree(orphan)
            killed |= orphans
