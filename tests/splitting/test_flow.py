"""What became of every image: nobody is lost between what was pulled and what is used."""

from __future__ import annotations

import pandas as pd

from tasks.common import manifest
from tasks.splitting import faults, flow, joining

WHY = {
    None: 5,
    manifest.EXCLUDED: 1,
    manifest.WITHDRAWN: 4,
    manifest.LEAK: 1,
    faults.DARK: 2,
    faults.FLAT: 1,
    joining.TWO_LABELS: 1,
    "two labels: a and b": 2,
    "truncated file": 3,
}


def table():
    reasons = [reason for reason, images in WHY.items() for _ in range(images)]
    status = ["ok" if reason is None else "quarantined" for reason in reasons]
    found = pd.DataFrame({"reason": reasons, "status": status})
    found["sex"] = ["F", "F", "M", None, "F", *["M"] * (len(found) - 5)]
    found["split"] = ["train", "train", "train", "val", "test", *[None] * (len(found) - 5)]
    return found


def test_every_image_is_counted_once_by_what_became_of_it():
    found = flow.count(table())
    assert found == {
        "pulled": 16,
        "left_out": {
            "excluded_by_a_person": 1,
            "of_no_use": 3,
            "under_two_labels": 1,
            "leaks": 1,
            "two_labels_at_the_source": 2,
            "not_readable": 3,
        },
        "used": 5,
    }
    assert found["pulled"] == found["used"] + sum(found["left_out"].values())


def test_subgroups_are_counted_by_side_where_they_are_known():
    usable = table()[lambda rows: rows["status"] == "ok"].assign(site=None, slice_ward="east")
    assert flow.table_one(usable) == {
        "sex": {"F": {"train": 2, "val": 0, "test": 1}, "M": {"train": 1, "val": 0, "test": 0}},
        "slice_ward": {"east": {"train": 3, "val": 1, "test": 1}},
    }
