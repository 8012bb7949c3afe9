"""The worker: takes commands, runs each under a deadline in a process that can be killed, records, settles.

Read `attempt` first; it is the story. `service` puts the parts together.
"""
