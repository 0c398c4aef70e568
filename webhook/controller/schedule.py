"""When to poll next and which texts to read first: pure, so that every case is a row in a test."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from webhook.controller.known import NEVER, Body, Key

JITTER = 0.2  # of the interval, so that replicas spread
BACKOFF_MIN_S, BACKOFF_MAX_S = 5.0, 300.0
ASKED_S = 3_600.0  # so long a role that a pod asked for is read with every poll
CYCLE_S = 1_800.0  # in which every other role is read once


def pause_s(interval_s: float, *, failures: int, retry_after_s: float, chance: float) -> float:
    """Return the seconds to the next poll.

    Args:
        interval_s: between polls that succeed.
        failures: polls that failed in a row.
        retry_after_s: what the server asked for, 0 when it did not.
        chance: from 0 to 1.
    """
    usual = interval_s if not failures else min(BACKOFF_MIN_S * 2 ** min(failures - 1, 20), BACKOFF_MAX_S)
    return max(usual, retry_after_s) * (1 + JITTER * chance)


def reading_order(
    texts: Iterable[tuple[Key, Body[Any]]], asked: Mapping[Key, float], *, now: float, interval_s: float
) -> list[Key]:
    """Return what to read in one poll: asked for by pods, then never read, then a part of the rest, oldest first.

    A policy counts as asked for as soon as it was read once: roles share them and there are few.

    Args:
        texts: all roles and policies.
        asked: when a pod last asked for a role.
        now: on the same clock.
        interval_s: between polls.
    """
    urgent: list[tuple[float, Key]] = []
    unread: list[Key] = []
    rest: list[tuple[float, Key]] = []
    for key, text in texts:
        if not key.mount or now - asked.get(key, NEVER) <= ASKED_S:
            urgent.append((text.read_at, key))
        elif text.read_at == NEVER:
            unread.append(key)
        else:
            rest.append((text.read_at, key))
    part = math.ceil(len(rest) * interval_s / CYCLE_S)
    return [key for _, key in sorted(urgent)] + unread + [key for _, key in sorted(rest)[:part]]
