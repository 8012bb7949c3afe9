"""States of mailings and of their recipients, by the CRM's numbers."""

from __future__ import annotations

from enum import IntEnum


class ShipmentStatus(IntEnum):
    """`s_shipment.status`."""

    OK = 1  #: finished, everybody was written to or left out on purpose
    CANCELED = 2
    WAITING = 3  #: goes on by itself
    STARTED = 4
    FAILED = 5  #: finished, with refusals or doubts; or stopped by an error
    RETRY = 6  #: waits until those who were put off are tried again


class RecipientStatus(IntEnum):
    """`s_shipment_addr.status`."""

    UNKNOWN = 0  #: in doubt: the mail was taken, or it was not; or it is on its way to the server right now
    READY = 1  #: its turn comes
    DUPLICATE = 2
    BLOCKED = 3  #: left out; `bounce_reason` says why
    SENT = 4
    BOUNCED = 5
    OPENED = 6  #: the CRM sets it behind SENT
    SOFT_BOUNCED = 8  #: put off by the server until we gave up
    NO_SUBSCRIPTION = 9
    TOO_MANY_BOUNCES = 11
