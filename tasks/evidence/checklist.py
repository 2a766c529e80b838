"""A reporting checklist: its items, and what a run and the owner's text answer to each.

An item is answered by a sentence about facts of the run, by the owner, or by both. Where the owner
has to say something and has not, it is a gap, whatever the machine knows besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from tasks.common import paths
from tasks.evidence.owner import Answers, Heading

Facts = Mapping[str, Any]
"""What the report's page is made of: the files of the stages by name, and the parameters."""

Sentence = Callable[[Facts], str]
"""One about facts; empty where they do not answer."""


class Place(StrEnum):
    """Where more of an item stands: sections of the report by their ids, and files."""

    PAGE_ONE = "the first page"
    COHORT = "cohort"
    TRAINING = "training"
    PERFORMANCE = "performance"
    CALIBRATION = "calibration"
    SLICES = "slices"
    ROBUSTNESS = "robustness"
    EXTERNAL = "external"
    HEATMAPS = "explanations"
    ERRORS = "errors"
    PACKAGE = "package"
    PROVENANCE = "provenance"
    ON_PRIVACY = "docs/privacy.md"
    ON_STATISTICS = "docs/statistics.md"
    ON_GATE = "docs/gate.md"


class Item(NamedTuple):
    """One item of a list, in words of our own."""

    number: str
    topic: str
    told: Sentence | None = None
    owner: Heading | None = None
    where: Place | None = None
    without: str = ""  # what to do where the facts do not answer


class Checklist(NamedTuple):
    """A published list: what it is called, where it stands, and its items by part of a report."""

    title: str
    source: str
    unit: str
    parts: Mapping[str, Sequence[Item]]


class Line(NamedTuple):
    """An item with its answer, by the run (`told`) and by the owner (`said`), or with its gap."""

    number: str
    topic: str
    told: str
    said: str
    gap: str
    owners: bool  # it is the owner's to answer
    where: str


class Filled(NamedTuple):
    """A list with answers."""

    title: str
    source: str
    unit: str
    parts: Mapping[str, Sequence[Line]]

    @property
    def lines(self) -> list[Line]:
        """All of them, in the list's order."""
        return [line for lines in self.parts.values() for line in lines]

    @property
    def gaps(self) -> list[Line]:
        """Those without an answer."""
        return [line for line in self.lines if line.gap]

    @property
    def summary(self) -> str:
        """`31 of 44 items answered; 13 left to the owner`."""
        total, gaps = len(self.lines), len(self.gaps)
        owners = sum(line.owners for line in self.gaps)
        parts = [f"{total - gaps} of {total} {self.unit} answered"]
        parts += [f"{owners} left to the owner"] * bool(owners)
        parts += [f"{gaps - owners} left to data or settings"] * (gaps > owners)
        return "; ".join(parts)


def filled(items: Sequence[Item], facts: Facts, answers: Answers) -> list[Line]:
    """Each item with its answer or gap."""
    return [_line(item, facts, answers) for item in items]


def fill(checklist: Checklist, facts: Facts, answers: Answers) -> Filled:
    """The whole list with its answers and gaps."""
    parts = {name: filled(items, facts, answers) for name, items in checklist.parts.items()}
    return Filled(checklist.title, checklist.source, checklist.unit, parts)


def _line(item: Item, facts: Facts, answers: Answers) -> Line:
    told = item.told(facts) if item.told else ""
    said = answers[item.owner] if item.owner else ""
    gap = ""
    if item.owner and not said:
        gap = f"not known to the machine; say it in {paths.OWNER} under {item.owner}"
    elif not item.owner and not told:
        gap = item.without
    where = (item.where or "") if told else ""
    return Line(item.number, item.topic, told, said, gap, item.owner is not None, where)
