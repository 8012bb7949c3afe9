"""Few frames must mean the same to the broker as one frame for each settled delivery."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from batchtask.broker.acknowledgement import AcknowledgementWindow


class BrokerAndConsumer(RuleBasedStateMachine):
    """A window beside what the broker knows: the tags it still waits for."""

    @initialize()
    def open_channel(self) -> None:
        self.window = AcknowledgementWindow()
        self.unacknowledged: set[int] = set()
        self.unsettled: set[int] = set()
        self.last_tag = 0

    @rule(gap=st.sampled_from([1, 1, 1, 2]))
    def deliver(self, gap: int) -> None:
        self.last_tag += gap  # news on the same channel take tags too, and need no answer
        self.window.delivered(self.last_tag)
        self.unacknowledged.add(self.last_tag)
        self.unsettled.add(self.last_tag)

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        tag = data.draw(st.integers(0, self.last_tag + 1))
        self.window.settle(tag)
        self.unsettled.discard(tag)

    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        tag = data.draw(st.integers(0, self.last_tag + 1))
        first_time = self.window.forget(tag)
        assert first_time == (tag in self.unsettled)
        if first_time:
            self.unsettled.discard(tag)
            self.unacknowledged.discard(tag)

    @rule()
    def flush(self) -> None:
        for tag, multiple in self.window.frames():
            covered = {one for one in self.unacknowledged if one == tag or (multiple and one < tag)}
            assert tag in covered, "the broker closes a channel that acknowledges what it does not wait for"
            self.unacknowledged -= covered
        assert self.unacknowledged == self.unsettled
        assert self.window.frames() == []

    @rule()
    def lose_channel(self) -> None:
        self.window.clear()
        self.open_channel()

    @invariant()
    def nothing_unsettled_is_acknowledged(self) -> None:
        assert self.unsettled <= self.unacknowledged


TestAcknowledgementWindow = BrokerAndConsumer.TestCase
TestAcknowledgementWindow.settings = settings(max_examples=30, stateful_step_count=20)


def test_a_run_from_the_oldest_takes_one_frame_and_what_is_behind_a_gap_one_each() -> None:
    window = AcknowledgementWindow()
    for tag in range(1, 8):
        window.delivered(tag)
    for tag in (3, 1, 2, 5, 7):
        window.settle(tag)

    assert window.frames() == [(3, True), (5, False), (7, False)]
    assert len(window) == 2
    window.settle(4)
    assert window.frames() == [(4, True)]
