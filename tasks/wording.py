"""Figures as a person reads them, in logs and on the page."""

from __future__ import annotations

from collections.abc import Mapping


def number(value: float | None) -> str:
    """Three decimals, as metrics are given; a dash for what is not defined."""
    return "-" if value is None else f"{value:.3f}"


def interval(value: Mapping[str, float | None]) -> str:
    """A value with its interval, as in `0.958 (0.942 to 0.971)`."""
    return f"{number(value['value'])} {ends(value)}".strip()


def ends(value: Mapping[str, float | None]) -> str:
    """The ends of an interval in brackets, nothing where there is none."""
    if value["low"] is None:
        return ""
    return f"({number(value['low'])} to {number(value['high'])})"
