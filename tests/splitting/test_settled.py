"""What an earlier version has settled stays on its side; what must go is quarantined.

`settled.csv` is what the version before `drop` made of the worlds of `worlds/settled.py`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from worlds.settled import BATCHES, WORLDS, make
from worlds.split import SETTINGS, TASK, to_manifest

from tasks.common.errors import LeakError
from tasks.common.params.validate import ImageLimits
from tasks.split import prepared
from tasks.splitting import candidates, duplicates, joining

SETTLED = pd.read_csv(Path(__file__).with_name("settled.csv"), dtype="str").set_index("world")
MODES = {"move": f"drop from batch {BATCHES}"}


def split_now(name, mode, images, pairs, limits=None):
    folds = {"folds": 4, "fold": 1} if name == "folded" else {}
    settings = SETTINGS.model_copy(update={"on_leak": MODES.get(mode, mode), **folds})
    return to_manifest(images, settings, TASK, pairs, limits)


def compared(table, before):
    """The rows in both, in one order: what was, and what is."""
    ids = [name for name in before["image_id"] if name in set(table["image_id"])]
    return before.set_index("image_id").loc[ids], table.set_index("image_id").loc[ids]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *[(name, mode) for name, mode in WORLDS.items() if name != "given"],
        *[("drawn", "drop"), ("given", "drop"), ("given", "report"), ("folded", "report")],
    ],
)
@pytest.mark.parametrize("contrast", [0, 2])
def test_nobody_who_was_settled_changes_sides(name, mode, contrast):
    """What goes: equal pictures without contrast on two sides, or at 2 all without contrast, and
    copies under two labels that are brighter. Neither was looked for.
    """
    images, pixels = make(name)
    pairs = duplicates.compare(prepared(images), pixels, "stretch")
    limits = ImageLimits(intensity_mean=[5, 250], min_contrast=contrast)
    before, now = compared(split_now(name, mode, images, pairs, limits), SETTLED.loc[name])
    assert list(now["group"]) == list(before["group"])
    stays = now["status"] == "ok"
    assert list(now["split"][stays]) == list(before["split"][stays])
    assert list(now["fold"][stays].astype("str").fillna("-")) == list(
        before["fold"][stays].fillna("-")
    )
    lost = before["split"].notna() & ~stays
    assert 5 < lost.sum() < 30
    flat = images.set_index("image_id")["std"] < candidates.FLAT
    assert (flat[lost.index] | (now["reason"] == joining.TWO_LABELS))[lost].all()


def test_a_leak_that_was_not_seen_stops_a_settled_workspace_and_moves_nobody():
    images, pixels = make("given")
    pairs = duplicates.compare(prepared(images), pixels, "stretch")
    any_contrast = ImageLimits(intensity_mean=[5, 250], min_contrast=0)
    with pytest.raises(LeakError, match=r"^2 pairs of the same picture stand on two sides"):
        split_now("given", "fail", images, pairs, any_contrast)
    table = split_now("given", "fail", images, pairs)  # nobody learns from pictures without any
    assert table["reason"].str.startswith("shows nothing").sum() > 1
