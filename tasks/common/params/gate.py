"""The section `gate`: the protocol by which a version may replace another."""

from __future__ import annotations

from pydantic import Field

from tasks.common.params.section import Confidence, Evolved, Level, Positive, Section, Share


class Floors(Section):
    """What every version must reach on the test set, whoever else there is: the whole by the lower
    ends of its intervals, each slice of `min_images` or more by its values.
    """

    auroc: Share
    sensitivity: Share = 0.5
    specificity: Share = 0.5
    calibration_error: Share = 0.2
    parity: Share = 0.01
    slice_auroc: Share
    slice_sensitivity: Share = 0.5
    min_images: Positive


class Gate(Evolved):
    """When a challenger passes: floors hold, and the lower ends of the paired intervals of its
    AUROC minus the champion's and minus the reference's are above the margins.
    """

    retired = frozenset({"resamples", "seed"})  # intervals are closed forms

    floors: Floors
    margin: Share
    reference_margin: Share = 0.02
    confidence: Confidence
    alpha: Level = 0.05
    approvers: list[str] = Field(default_factory=list)
