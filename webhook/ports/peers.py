"""Who a connection comes from, and what each may take of what all share."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address

from msgspec import Struct

PREFIX_BITS = 64  # of IPv6: who has one address of a network of this size has them all
REMEMBERED = 4_096  # peers whose allowance is known, some 600 kB; the one that was quiet for longest is forgotten
BURST_S = 10  # so many seconds' worth may come at once


class Peer(Struct, frozen=True):
    """Who sent a request, as the connection knows."""

    group: str  # peer_group of its address
    admitted: bool = True  # False: its client certificate has none of the names that are allowed


@lru_cache(REMEMBERED)
def peer_group(host: str) -> str:
    """Return what an address is counted as: 10.0.0.7 for ::ffff:10.0.0.7 too, 2001:db8:0:1::/64 for all of it.

    An empty text, or one that is no address, such as of a Unix socket, stands for itself.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address, PREFIX_BITS), strict=False))


class Shares:
    """A total that holders share: each may hold as much as is left free, in units of the caller's.

    One alone gets half of it, two get a third each, and so on: whoever comes next always finds something.
    """

    def __init__(self, total: int) -> None:
        """Begin with all of it free."""
        self._free = total
        self._held: Counter[Hashable] = Counter()

    def left(self, holder: Hashable) -> int:
        """Return how much more the holder may take before it holds more than is free; negative when it does."""
        return self._free - self._held[holder] if holder in self._held else self._free

    def take(self, holder: Hashable, amount: int = 1) -> None:
        """Take; whether there is as much is the caller's to ask: `left`."""
        self._free -= amount
        self._held[holder] += amount

    def give(self, holder: Hashable, amount: int = 1) -> None:
        """Give back."""
        self._free += amount
        self._held[holder] -= amount
        if not self._held[holder]:
            del self._held[holder]


class Allowance:
    """So many a second of each peer, and BURST_S times as many at once after a quiet time; a token bucket each."""

    def __init__(self, per_second: int, now: Callable[[], float] = time.monotonic) -> None:
        """Set up; 0 a second means any number."""
        self._per_second = per_second
        self._most = float(per_second * BURST_S)
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when that was so

    def take(self, group: str) -> bool:
        """Tell whether one more is within the allowance, and count it."""
        if not self._per_second:
            return True
        now = self._now()
        left, at = self._buckets.pop(group, (self._most, now))
        left = min(self._most, left + (now - at) * self._per_second)
        if len(self._buckets) >= REMEMBERED:
            self._buckets.popitem(last=False)
        self._buckets[group] = (left - 1 if left >= 1 else left, now)
        return left >= 1
