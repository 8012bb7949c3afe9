"""What became of the recipients, in numbers and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from worker.tasks.mail_merge.by_email.statuses import RecipientStatus

_SENT = {RecipientStatus.SENT, RecipientStatus.OPENED}
_REFUSED = {RecipientStatus.BOUNCED, RecipientStatus.SOFT_BOUNCED}
_LEFT_OUT = {
    RecipientStatus.BLOCKED,
    RecipientStatus.DUPLICATE,
    RecipientStatus.NO_SUBSCRIPTION,
    RecipientStatus.TOO_MANY_BOUNCES,
}


@dataclass(frozen=True)
class Tally:
    """Recipients by state and reason."""

    counts: Mapping[tuple[RecipientStatus, str], int]

    @property
    def to_send(self) -> int:
        """Recipients who are not left out."""
        return self._total() - self._count(_LEFT_OUT)

    @property
    def tried(self) -> int:
        """Recipients whose mail is sent, refused or in doubt."""
        return self.to_send - self._count({RecipientStatus.READY})

    @property
    def is_clean(self) -> bool:
        """Everybody who was not left out got the mail."""
        return self._count(_SENT) == self.to_send

    def words(self) -> str:
        parts = [f"Sent {self._count(_SENT)} of {self._total()}"]
        others = [f"{count} left out ({self._reasons()})" for count in [self._count(_LEFT_OUT)] if count]
        for statuses, words in (
            (_REFUSED, "refused"),
            ({RecipientStatus.UNKNOWN}, "in doubt"),
            ({RecipientStatus.READY}, "not yet sent"),
        ):
            if count := self._count(statuses):
                others.append(f"{count} {words}")
        return "; ".join([*parts, *([", ".join(others)] if others else [])])

    def _total(self) -> int:
        return sum(self.counts.values())

    def _count(self, statuses: set[RecipientStatus]) -> int:
        return sum(count for (status, _), count in self.counts.items() if status in statuses)

    def _reasons(self) -> str:
        reasons: Counter[str] = Counter()
        for (status, reason), count in self.counts.items():
            if status in _LEFT_OUT:
                reasons[reason] += count
        return ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
