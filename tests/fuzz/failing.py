"""Checks that fail in every way that the harness must see; modules of their own, since the
processes of the harness import them."""

from __future__ import annotations

import ctypes
import time

from tests.fuzz.harness import MEMORY

RAISES, CRASHES, HANGS, GROWS = 1, 4, 6, 9


def check(number: int) -> bool:
    """Decoded where the number is even, unless it is one of those that fail."""
    if number == RAISES:
        raise ZeroDivisionError("planted")
    if number == CRASHES:
        ctypes.string_at(0)
    if number == HANGS:
        time.sleep(60)
    if number == GROWS:
        bytearray(MEMORY + 1)[::4096] = bytes(MEMORY // 4096 + 1)
    return number % 2 == 0
