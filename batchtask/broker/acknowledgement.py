"""Which delivery tags to acknowledge with which frame. Pure."""

from __future__ import annotations


class AcknowledgementWindow:
    """Turns single settled tags into few frames: one `multiple` for the run from the oldest, the rest by themselves.

    Tags rise by one with every delivery of a channel: https://www.rabbitmq.com/docs/confirms#consumer-acks-multiple-parameter
    """

    def __init__(self) -> None:
        self._outstanding: dict[int, bool] = {}  # tag → settled; in rising order

    def delivered(self, tag: int) -> None:
        self._outstanding[tag] = False

    def settle(self, tag: int) -> None:
        """Mark a tag as done; unknown tags (of an older channel, or settled before) are ignored."""
        if tag in self._outstanding:
            self._outstanding[tag] = True

    def forget(self, tag: int) -> bool:
        """Take out a tag that is settled in another way; False when it was settled: its frame still goes out."""
        if tag not in self:
            return False
        del self._outstanding[tag]
        return True

    def frames(self) -> list[tuple[int, bool]]:
        """Return `(tag, multiple)` for everything settled since the last call."""
        frames: list[tuple[int, bool]] = []
        run_end = 0
        for tag, settled in self._outstanding.items():
            if not settled:
                break
            run_end = tag
        if run_end:
            frames.append((run_end, True))
        frames += [(tag, False) for tag, settled in self._outstanding.items() if settled and tag > run_end]
        self._outstanding = {tag: False for tag, settled in self._outstanding.items() if not settled}
        return frames

    def __contains__(self, tag: int) -> bool:
        """Whether a tag waits to be settled."""
        return self._outstanding.get(tag) is False

    def clear(self) -> None:
        self._outstanding.clear()

    def __len__(self) -> int:
        return len(self._outstanding)
