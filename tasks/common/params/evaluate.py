"""The section `evaluate`."""

from __future__ import annotations

from typing import Literal

from tasks.common.params.section import Confidence, Resamples, Section, Seed, Share


class OperatingRule(Section):
    """How the threshold is chosen on val: `youden`, or the highest threshold that still reaches
    `target` sensitivity or the lowest that reaches `target` specificity.
    """

    rule: Literal["youden", "sensitivity", "specificity"]
    target: Share


class Evaluate(Section):
    """Metrics and their intervals (patient-clustered bootstrap)."""

    operating_point: OperatingRule
    confidence: Confidence
    resamples: Resamples
    seed: Seed
