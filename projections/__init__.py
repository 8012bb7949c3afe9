"""The read side: records submissions, projects events into `crm7.batchtask`, answers queries.

Read `rows` (what an event means for a row), then `projector` (batches and gaps), then `service`.
"""
