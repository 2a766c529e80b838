"""The subgroups of the test images in which a model is clearly weaker than on the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.common import wording
from tasks.pictures.page import heading

if TYPE_CHECKING:
    from tasks.common.params.gate import Floors

CLEARLY = {"auroc": 0.05, "sensitivity": 0.1}  # below the whole, from which on it is told
FLOORS = {"auroc": "slice_auroc", "sensitivity": "slice_sensitivity"}


class Weak(NamedTuple):
    """One figure of one subgroup: `found` as in `reports/metrics.json`, and what it is below."""

    column: str
    value: str
    figure: str
    images: int
    found: Mapping[str, float | None]
    whole: float
    floor: float

    @property
    def certain(self) -> bool:
        """Whether even the upper end of its interval lies below the whole."""
        high = self.found["high"]
        return high is not None and high < self.whole

    def told(self) -> str:
        """In words."""
        name = f"{heading(self.column)} {self.value}, {wording.count(self.images, 'image')}"
        figure = heading(self.figure) if self.figure == "auroc" else self.figure
        value = self.found["value"]
        assert value is not None  # what is not defined is not weak
        whole = f"below the {wording.number(self.whole)} of all test images"
        floor = f"below the floor {self.floor:g}"
        below = [whole] * (value < self.whole) + [floor] * (value < self.floor)
        doubt = "" if self.certain else "; with so few patients this may be chance"
        return f"{name}: {figure} {wording.interval(self.found)}, {' and '.join(below)}{doubt}"


def find(test: Mapping[str, Any], floors: Floors) -> list[Weak]:
    """Those of a test set, `metrics["test"]`, the certain ones first."""
    return sorted(_all(test, floors), key=lambda weak: not weak.certain)


def _all(test: Mapping[str, Any], floors: Floors) -> Iterator[Weak]:
    for column, values in test["slices"].items():
        for value, found in values.items():
            for figure, apart in CLEARLY.items():
                whole, floor = test[figure]["value"], getattr(floors, FLOORS[figure])
                here = found[figure]["value"]
                if None not in (here, whole) and (here < floor or whole - here >= apart):
                    images = found["images"]
                    yield Weak(column, value, figure, images, found[figure], whole, floor)
