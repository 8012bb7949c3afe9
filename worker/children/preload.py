"""What all children share: imported once, by the fork server, before it forks any of them.

Loading the definitions here makes a child ready in milliseconds and lets the children share the memory.
"""

from __future__ import annotations

import gc

from batchtask.definitions import Registry

registry = Registry.installed()

# Collected garbage would be copied into every child, and so would each page that the collector touches there:
# https://docs.python.org/3/library/gc.html#gc.freeze
gc.collect()
gc.freeze()
