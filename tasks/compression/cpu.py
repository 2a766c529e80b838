"""What of this machine's processor int8 results may hang on."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Instructions for products of 8-bit integers, as Linux names them. Without those for dot products
# x86 adds in 16 bits, which may overflow.
INTEGER = ("avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")


def instruction_set() -> dict[str, str | list[str]]:
    """The kind of machine, and which integer instructions it has; none are known beyond Linux."""
    text = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    flags = {
        flag
        for line in text.splitlines()
        if line.lower().startswith(("flags", "features"))
        for flag in line.partition(":")[2].split()
    }
    return {"machine": platform.machine(), "integer": [name for name in INTEGER if name in flags]}
