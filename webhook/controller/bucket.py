"""How often Vault may be asked: one bucket for polls and confirmations, filled at a constant rate.

It holds a single token, so requests are spaced evenly and no second sees more than the rate.
"""

import threading
from collections.abc import Callable


class Bucket:
    """Hands out moments at which one request may be sent, in the order in which they were asked for."""

    def __init__(self, per_second: float, *, now: Callable[[], float], sleep: Callable[[float], object]) -> None:
        """Set up.

        Args:
            per_second: the rate.
            now: seconds of a clock that never goes back.
            sleep: waits for a number of seconds.
        """
        self._interval_s = 1 / per_second
        self._now = now
        self._sleep = sleep
        self._next = 0.0
        self._lock = threading.Lock()

    def take(self, *, within_s: float = float("inf")) -> bool:
        """Wait for the next free moment; return False at once, and take nothing, when it is further away than that."""
        with self._lock:
            now = self._now()
            moment = max(self._next, now)
            if moment - now > within_s:
                return False
            self._next = moment + self._interval_s
        if moment > now:
            self._sleep(moment - now)
        return True

    def pause(self, seconds: float) -> None:
        """Hand out no moment for so long: the server asked for it."""
        with self._lock:
            self._next = max(self._next, self._now() + seconds)
