"""How often somebody may guess: per login name and address, in the memory of this process.

Three limits stand beside one another, so that guessing is slow while nobody is locked out by the guesses of others:

- a name from one address: `FREE` failures, then pauses that double from 30 s to 15 min;
- all names from one address: a burst of 50, then one each 15 s, so that nobody tries one password on all names;
- a name from all addresses: a burst of 100, then one each 30 s, so that many machines do not guess at one user. It
  does not bind an address from which the user came in before: a flood from elsewhere does not keep them out there.

Several web processes count each for itself, and a restart forgets: the numbers leave room for that.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unicodedata import normalize

from batchtask.http.bounded import BoundedDict
from batchtask.http.problems import TooManyRequests

#: Failures for a name from an address until the first pause.
FREE = 5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 900.0
#: Failures are forgotten when none followed for so long.
FORGET_SECONDS = 3600.0
#: Names, addresses, and pairs of them that are remembered; some 10 MB when all are taken.
REMEMBERED = 10_000
_LONGEST_NAME = 240


@dataclass
class _Pair:
    """What one address did with one name."""

    failures: int = 0
    last_at: float = 0
    paused_until: float = 0


@dataclass
class _Bucket:
    """Attempts that are left; they come back with time."""

    left: float
    at: float


class Attempt:
    """One try that is allowed to go on; counted as failed until it says otherwise."""

    def __init__(self) -> None:
        self.succeeded = False


class LoginLimit:
    """Counts attempts. Not thread-safe: for one event loop.

    Args:
        clock: Tells seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pairs: BoundedDict[tuple[str, str], _Pair] = BoundedDict(REMEMBERED)
        self._came_in: BoundedDict[tuple[str, str], bool] = BoundedDict(REMEMBERED)
        self._addresses = _Buckets(burst=50, seconds_each=15)
        self._names = _Buckets(burst=100, seconds_each=30)

    @contextmanager
    def attempt(self, name: str, address: str) -> Iterator[Attempt]:
        """Let one attempt go on; set `succeeded` on what is given. An error raised inside is nobody's failure.

        It counts from the start, so that a thousand guesses at once are not all allowed.

        Raises:
            TooManyRequests: Not now; says when.
        """
        # As it is looked for: a letter has several spellings in Unicode, each of which would be a name of its own.
        who = (normalize("NFC", name).casefold()[:_LONGEST_NAME], network_of(address))
        self._enter(*who)
        attempt, answered = Attempt(), False
        try:
            yield attempt
            answered = True
        finally:
            if attempt.succeeded or not answered:
                self._give_back(*who)
            if attempt.succeeded:
                self._pairs.pop(who, None)
                self._came_in[who] = True

    def guess(self, address: str) -> None:
        """Count a bearer token that nobody gave out, or that is over; nobody guesses one that is good.

        Raises:
            TooManyRequests: There were too many failures from this address; says when again.
        """
        network, now = network_of(address), self._clock()
        _refuse_for(self._addresses.wait(network, now))
        self._addresses.take(network, now)

    def _enter(self, name: str, network: str) -> None:
        now = self._clock()
        pair = self._pairs.get((name, network)) or _Pair()
        waits = [pair.paused_until - now, self._addresses.wait(network, now)]
        if (name, network) not in self._came_in:
            waits.append(self._names.wait(name, now))
        _refuse_for(max(waits))
        self._addresses.take(network, now)
        self._names.take(name, now)
        self._pairs[name, network] = _failed(pair, now)

    def _give_back(self, name: str, network: str) -> None:
        self._addresses.give_back(network)
        self._names.give_back(name)
        if pair := self._pairs.get((name, network)):
            pair.failures -= 1
            pair.paused_until = 0


class _Buckets:
    """A bucket for each key; a full one need not be remembered."""

    def __init__(self, *, burst: int, seconds_each: float) -> None:
        self._burst, self._seconds_each = burst, seconds_each
        self._buckets: BoundedDict[str, _Bucket] = BoundedDict(REMEMBERED)

    def wait(self, key: str, now: float) -> float:
        """Tell how many seconds until there is one to take; 0 = there is."""
        return max(0.0, (1 - self._left(key, now)) * self._seconds_each)

    def take(self, key: str, now: float) -> None:
        self._buckets[key] = _Bucket(max(0.0, self._left(key, now) - 1), now)

    def give_back(self, key: str) -> None:
        if bucket := self._buckets.get(key):
            bucket.left = min(self._burst, bucket.left + 1)

    def _left(self, key: str, now: float) -> float:
        bucket = self._buckets.get(key)
        return min(self._burst, bucket.left + (now - bucket.at) / self._seconds_each) if bucket else self._burst


def network_of(address: str) -> str:
    """Tell what stands for whoever has an address: of IPv6 the /64, in which a machine has as many as it likes."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def _failed(pair: _Pair, now: float) -> _Pair:
    failures = pair.failures + 1 if now - pair.last_at < FORGET_SECONDS else 1
    doublings = min(failures - FREE, 10)
    pause = 0.0 if doublings < 0 else min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**doublings)
    return _Pair(failures, now, now + pause)


def _refuse_for(seconds: float) -> None:
    if seconds > 0:
        wait = math.ceil(seconds)
        raise TooManyRequests(
            f"there were too many failed logins: wait {wait} seconds, then try again", {"Retry-After": str(wait)}
        )
