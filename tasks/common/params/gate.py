"""The section `gate`."""

from __future__ import annotations

from tasks.common.params.section import Confidence, Evolved, Positive, Section, Share


class Floors(Section):
    """What every version must reach on the test set: the AUROC itself, and the AUROC of every
    slice with at least `min_images` images of which both outcomes are present.
    """

    auroc: Share
    slice_auroc: Share
    min_images: Positive


class Gate(Evolved):
    """When a challenger passes: floors hold, and the lower end of the paired interval of its
    AUROC minus the champion's is above `-margin`.
    """

    retired = frozenset({"resamples", "seed"})  # intervals are closed forms

    floors: Floors
    margin: Share
    confidence: Confidence
