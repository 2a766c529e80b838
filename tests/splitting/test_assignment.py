"""Batches in any order: what is settled stays, and the shares are kept."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds.split import SETTINGS, TASK, alike, to_manifest

from tasks.splitting.assignment import draw

SHARES = {"train": 0.65, "val": 0.15, "test": 0.2}


def arrivals(order, patients=(150, 90, 60), seed=3):
    """Three cohorts, of which one patient in six comes again in the next, as batches in `order`."""
    generator = np.random.default_rng(seed)
    sick = generator.random(sum(patients)) < 0.3
    firsts = np.cumsum([0, *patients[:-1]])
    cohorts = []
    for first, count in zip(firsts, patients, strict=True):
        rows = [
            {
                "patient_id": f"p{k}",
                "image_id": f"{first}-{k}-{n}",
                "label": "sick" if sick[k] else "sane",
            }
            for k in range(max(first - count // 6, 0), first + count)
            for n in range(generator.integers(1, 4))
        ]
        cohorts.append(pd.DataFrame(rows))
    parts = [cohorts[which].assign(batch=batch) for batch, which in enumerate(order)]
    return [
        pd.concat(parts[:n], ignore_index=True).assign(source_split=None, status="ok")
        for n in range(1, len(parts) + 1)
    ]


@pytest.mark.parametrize("order", list(permutations(range(3)))[::2])
@pytest.mark.parametrize("folds", [None, 3])
def test_no_group_moves_and_strata_stay_balanced_in_any_order_of_arrival(order, folds):
    chosen = SETTINGS.model_copy(update={"folds": folds})
    before = pd.DataFrame({"group": [], "split": [], "fold": []})
    for batches, images in enumerate(arrivals(order), 1):
        table = to_manifest(images, chosen, TASK)
        now = table.drop_duplicates("group").set_index("group")
        assert (table.groupby("group")["split"].nunique() == 1).all()
        known = now.loc[before.index] if len(before) else before
        assert list(known["split"]) == list(before["split"])
        assert known["fold"].astype("object").equals(before["fold"].astype("object"))
        assert (now["split"] == "test").sum() > (before["split"] == "test").sum()
        held(now, {"test": 0.2} if folds else SHARES, batches)
        before = now


def held(groups, shares, batches):
    """The tolerance that its module states: two groups in total, in a stratum two per batch."""
    for side, share in shares.items():
        assert abs((groups["split"] == side).sum() - share * len(groups)) <= 2
        for _, stratum in groups.groupby("label"):
            off = abs((stratum["split"] == side).sum() - share * len(stratum))
            assert off <= 2 * batches


def test_small_batches_keep_to_the_shares():
    """One patient per pull: each batch alone could only be train."""
    parts = [
        {"patient_id": f"p{k}", "image_id": f"i{k}", "label": "sane", "batch": k} for k in range(60)
    ]
    images = pd.DataFrame(parts).assign(source_split=None, status="ok")
    counts = to_manifest(images, SETTINGS, TASK)["split"].value_counts()
    assert counts.to_dict() == {"train": 39, "test": 12, "val": 9}


@given(
    strata=st.lists(st.sampled_from("abcd"), min_size=1, max_size=60),
    batches=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_draw_keeps_to_the_shares(strata, batches, seed):
    dealt = dict.fromkeys(SHARES, 0)
    for batch in range(batches):
        units = pd.DataFrame(
            {"unit": [f"{batch}-{k}" for k in range(len(strata))], "stratum": strata}
        )
        sides = draw(units, SHARES, dealt, np.random.default_rng([seed, batch]))
        drawn = units.assign(side=units["unit"].map(sides))
        for _, stratum in drawn.groupby("stratum"):
            for side, share in SHARES.items():
                assert abs((stratum["side"] == side).sum() - share * len(stratum)) <= 2
    total = len(strata) * batches
    assert all(abs(dealt[side] - share * total) <= 2 for side, share in SHARES.items())


@st.composite
def cohorts(draw):
    """Images of a few patients in three batches, some with a side of the source's, and links."""
    side = st.sampled_from([None, None, "train", "val", "test"])
    row = st.tuples(st.integers(0, 9), st.integers(0, 2), side, st.booleans())
    rows = draw(st.lists(row, min_size=2, max_size=24))
    images = pd.DataFrame(rows, columns=["patient", "batch", "source_split", "sick"])
    images = images.sort_values("batch", kind="stable", ignore_index=True)
    known = {"patient_id": "p" + images["patient"].astype("str"), "status": "ok"}
    images = images.assign(**known, image_id=[f"i{k}" for k in range(len(images))])
    images["label"] = images.pop("sick").map({True: "sick", False: "sane"})
    images["source_split"] = images["source_split"].astype("str")
    at = st.integers(0, len(images) - 1)
    ends = draw(st.lists(st.tuples(at, at), max_size=8))
    apart = {
        tuple(sorted(end)) for end in ends if images["patient"][end[0]] != images["patient"][end[1]]
    }
    return images, sorted(apart)


MODES = ["drop", "drop from batch 1", "report"]


@given(cohort=cohorts(), mode=st.sampled_from(MODES), folds=st.sampled_from([None, 2]))
@settings(max_examples=60, deadline=None)
def test_whatever_comes_later_moves_nothing(cohort, mode, folds):
    """It may quarantine: a late pair, here every third, costs one of its ends."""
    images, ends = cohort
    chosen = SETTINGS.model_copy(update={"on_leak": mode, "folds": folds})
    before = None
    for batch in sorted(images["batch"].unique()):
        now = images[images["batch"] <= batch]
        links = [(f"i{a}", f"i{b}") for a, b in ends if max(a, b) < len(now)]
        pairs = alike(now, *links)
        pairs["late"] = (pairs["first"] + pairs["second"]) % 3 == 0
        table = to_manifest(now, chosen, TASK, pairs)
        told = table[["group", "split", "status", "fold"]].astype("object").fillna("-")
        if before is not None:
            pd.testing.assert_frame_equal(told.loc[before.index], before)
        before = told
        if mode != "report":
            held_apart(table, links)


def held_apart(table, links):
    """No patient, group or picture on two sides or in two folds."""
    usable = table[table["status"] == "ok"].set_index("image_id")
    splits = usable["split"] + usable["fold"].astype("str").fillna("")
    assert (usable.groupby("group")["split"].nunique() <= 1).all()
    assert (usable.groupby("patient_id")["split"].nunique() <= 1).all()
    for a, b in links:
        assert splits.get(a, splits.get(b)) == splits.get(b, splits.get(a))


@given(cohort=cohorts())
@settings(max_examples=40, deadline=None)
def test_drop_takes_nobody_from_test_whom_the_source_has_there_and_trains_on_nobody_of_it(cohort):
    """In one batch, without links: what the source has on test stays there, all of it."""
    images = cohort[0].assign(batch=0)
    table = to_manifest(images, SETTINGS.model_copy(update={"on_leak": "drop"}), TASK)
    test = images["source_split"] == "test"
    assert (table["split"][test] == "test").all()
    tested = images["patient_id"].isin(images["patient_id"][test])
    assert not table["split"][tested & ~test].isin(["train", "val"]).any()
