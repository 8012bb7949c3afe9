"""What all children share: imported once, by the fork server, before it forks any of them.

Loading the definitions here makes a child ready in milliseconds and lets the children share the memory.
"""

from __future__ import annotations

import gc
import warnings

from batchtask.definitions import Registry
from worker.children.descendants import adopt_orphans

registry = Registry.installed()

# What a dead child leaves behind comes to the fork server, where `family` finds it. The server buries it, too, and
# wonders who that was.
adopt_orphans()
warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")

# Collected garbage would be copied into every child, and so would each page that the collector touches there:
# https://docs.python.org/3/library/gc.html#gc.freeze
gc.collect()
gc.freeze()
