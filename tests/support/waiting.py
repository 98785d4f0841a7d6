"""Waiting for a condition, always with a deadline."""

import os
import time

POLL_S = 0.01

# How much longer than on a quiet machine things may take: sanitizers slow the gateway down.
SLOW_FACTOR = float(os.environ.get("HOLDFAST_SLOW_FACTOR", "1"))


def set_slow_factor(factor):
    global SLOW_FACTOR
    SLOW_FACTOR = factor


def slowed(seconds):
    """A time limit, widened for the build under test."""
    return seconds * SLOW_FACTOR


def eventually(condition, within_s=10.0, what="the condition"):
    """Returns the first true value of `condition()`; fails after `within_s` (widened)."""
    deadline = time.monotonic() + slowed(within_s)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what} did not come true within {slowed(within_s):g} s")
        time.sleep(POLL_S)


def until(moment):
    """Waits for a moment of time.monotonic(): for tests whose subject is what happens after it."""
    eventually(lambda: time.monotonic() >= moment, moment - time.monotonic() + 5, "the moment")


def always(condition, for_s, what="the condition"):
    """Fails as soon as `condition()` is false within the next `for_s` seconds."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        assert condition(), f"{what} stopped being true"
        time.sleep(POLL_S)
