"""What can go wrong while services are being found or started."""

from __future__ import annotations

from collections.abc import Sequence

from batchtask.errors import BatchTaskError


class SourceFailed(BatchTaskError):
    """One source of a service could not be used; the next one is tried."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source} could not be used: {self.reason}"


class ServicesUnavailable(BatchTaskError):
    """No source gave the service; the message says what to install."""

    def __init__(self, service: str, reasons: Sequence[str], advice: str) -> None:
        super().__init__(service, reasons, advice)
        self.service = service
        self.reasons = tuple(reasons)
        self.advice = advice

    def __str__(self) -> str:
        tried = "".join(f"\n  - {reason}" for reason in self.reasons)
        return f"no {self.service} could be found or started.{tried}\n{self.advice}"
