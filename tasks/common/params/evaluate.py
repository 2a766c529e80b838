"""The section `evaluate`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.common.params.section import Confidence, Evolved, Section, Share

Prevalence = Annotated[float, Field(gt=0.0, lt=1.0)]


class OperatingRule(Section):
    """How the threshold is chosen on val: `youden`, or the highest threshold that still reaches
    `target` sensitivity or the lowest that reaches `target` specificity.
    """

    rule: Literal["youden", "sensitivity", "specificity"]
    target: Share


class Evaluate(Evolved):
    """Metrics and their intervals, patients as units.

    With a `prevalence`, predictive values are also given for such a share of positives.
    `per_patient` says how the scores of a patient's images become the patient's. `coverage` is the
    share of the images whose right answer is to be in the set of answers that the scores leave.
    `external` says where images come from that are measured besides: it is pull's business, which
    holds it to `params.pull.External`; here it counts whether there is one.
    """

    retired = frozenset({"resamples", "seed"})  # intervals are closed forms

    operating_point: OperatingRule
    confidence: Confidence
    prevalence: Prevalence | None = None  # earlier files have none of these four
    per_patient: Literal["mean", "max"] = "mean"
    coverage: Confidence = 0.9
    external: Any = None
