"""So much of IMAP as reading mailboxes takes; `session` is the place to begin.

It knows nothing of the CRM. Why not a library: those that there are read an announced literal of any size into
memory, wait for ever for a server that sends a byte now and then, lose a whole answer for one that cannot be read,
and know neither ESEARCH nor VANISHED. https://www.rfc-editor.org/rfc/rfc3501
"""

from __future__ import annotations

from worker.tasks.inbox.imap.opening import Login, open_session
from worker.tasks.inbox.imap.session import Fetched, Listed, Session, Status

__all__ = ["Fetched", "Listed", "Login", "Session", "Status", "open_session"]
