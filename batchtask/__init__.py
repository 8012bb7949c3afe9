"""The shared kernel: commands, events, the pure task aggregate, task definitions, topology, settings, errors.

Read in this order: `messages` (what is asked), `events` (what happened), `task` (what may happen next),
`store` (where it is kept). `producer`, `worker` and `projections` stand on this and never on one another.
"""
