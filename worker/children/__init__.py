"""Task code runs here: warm child processes that can be killed, one task at a time in each.

`frames` is what goes over the socket, `process` the child's side, `child` and `pool` the worker's.
"""
