"""Wait for what comes true in its own time."""

import time

PATIENCE_S = 30


def eventually(ask, *, within_s=PATIENCE_S):
    """Return the first true answer."""
    end = time.monotonic() + within_s
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < end, f"still {answer!r} after {within_s} s"
        time.sleep(0.05)
