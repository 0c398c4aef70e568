"""Counting instead of timing: what a function does, in calls, lines and memory, as its input doubles."""

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

SLACK = 1.25  # of a doubling: a logarithm, a list that grows in steps
FEW_CALLS = 400  # the same for any input
FEW_BYTES = 200_000


def calls(work: Callable[[], Any]) -> int:
    """Return how many functions are called, those written in C too."""
    count = 0

    def note(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def lines(work: Callable[[], Any], folder: str) -> int:
    """Return how many lines run of the modules in a folder, such as "/webhook/": loops count that call nothing."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if event == "call" and folder not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def peak_bytes(work: Callable[[], Any]) -> int:
    """Return the most memory that was held at one time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def assert_linear(make: Callable[[int], Callable[[], Any]], size: int) -> None:
    """Fail where twice the input takes much more than twice the calls or memory.

    Args:
        make: returns the work on an input of a size; what it does itself is not counted.
        size: of the smaller input.
    """
    once, twice = calls(make(size)), calls(make(2 * size))
    assert twice <= 2 * SLACK * once + FEW_CALLS, (once, twice)
    held, held_twice = peak_bytes(make(size)), peak_bytes(make(2 * size))
    assert held_twice <= 2 * SLACK * held + FEW_BYTES, (held, held_twice)
