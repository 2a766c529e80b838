from __future__ import annotations

import pandas as pd
import pytest
from worlds.split import (
    SETTINGS,
    TASK,
    alike,
    batch,
    given,
    leaky,
    receipt,
    split_of,
    to_manifest,
    together,
)

from tasks.common import manifest
from tasks.common.errors import DataError, LeakError
from tasks.common.params.task import Task
from tasks.splitting.assignment import assign
from tasks.splitting.receipt import summary


def test_shares_strata_and_groups():
    images = batch(0, 400)
    table = to_manifest(images, SETTINGS, TASK)
    assert (table.groupby("patient_id")["split"].nunique() == 1).all()
    patients = table.groupby("patient_id").agg(
        split=("split", "first"), stratum=("label", lambda names: "|".join(sorted(set(names))))
    )
    for _, stratum in [("all", patients), *patients.groupby("stratum")]:
        shares = stratum["split"].value_counts() / len(stratum)
        for side, share in {"train": 0.65, "val": 0.15, "test": 0.2}.items():
            assert abs(shares[side] - share) < 2.1 / len(stratum)


def test_row_order_and_unrelated_columns_do_not_count():
    images = batch(0, 50)
    shuffled = images.sample(frac=1, random_state=3).assign(site="elsewhere")
    assert split_of(images).sort_index().equals(split_of(shuffled).sort_index())


def test_seed_counts():
    images = batch(0, 50)
    other = SETTINGS.model_copy(update={"seed": 12})
    assert not split_of(images).equals(split_of(images, other))


def test_batches_settle_for_good():
    """Later batches hold new patients and further images of known ones."""
    batches = [batch(0, 60), batch(1, 60, first=40), batch(2, 60, first=80)]
    before = pd.Series(dtype="str")
    for count in (1, 2, 3):
        table = to_manifest(together(*batches[:count]), SETTINGS, TASK)
        now = table.set_index("image_id")["split"]
        assert list(now[before.index]) == list(before)
        assert (table.groupby("group")["split"].nunique() == 1).all()
        assert set(now[before.index][before == "test"]) <= {"test"}
        assert (now == "test").sum() > (before == "test").sum()
        before = now


def test_each_batch_is_drawn_with_its_own_seed():
    first, second = batch(0, 40), batch(0, 40, first=40).assign(batch=1)
    second["label"] = list(first["label"])[: len(second)] + ["sane"] * (len(second) - len(first))
    second["image_id"] = "again-" + second["image_id"]
    sides = to_manifest(together(first, second), SETTINGS, TASK).groupby("group")["split"].first()
    assert [sides[f"p{k}"] for k in range(40)] != [sides[f"p{k}"] for k in range(40, 80)]


def test_quarantine_moves_nobody():
    images = batch(0, 60)
    lost = images.assign(status=["quarantined"] * 5 + ["ok"] * (len(images) - 5))
    now = split_of(lost)
    assert now[:5].isna().all()
    assert now[5:].equals(split_of(images)[5:])


def test_image_without_patient_is_its_own_group():
    images = batch(0, 40).assign(patient_id=None)
    table = to_manifest(images, SETTINGS, TASK)
    assert (table["group"] == table["image_id"]).all()


def test_unknown_class_is_refused():
    with pytest.raises(DataError, match="14 images with 1 other labels") as told:
        split_of(batch(0, 5, label="sickly"))
    assert "sickly" not in str(told.value)


def test_label_of_quarantined_image_does_not_matter():
    images = batch(0, 30)
    images.loc[0, ["label", "status"]] = [None, "quarantined"]
    assert split_of(images)[1:].notna().all()


def test_split_of_the_source_is_kept_and_val_is_cut_from_train():
    sides = {f"t{k}": "train" for k in range(100)} | {f"e{k}": "test" for k in range(20)}
    images = given(sides)
    now = split_of(images)
    assert (now[(images["source_split"] == "test").to_numpy()] == "test").all()
    train = now[(images["source_split"] == "train").to_numpy()]
    assert (train == "val").sum() == 10
    assert (train == "train").sum() == 90


def test_whole_split_of_the_source_is_kept_as_it_is():
    images = given({"a": "train", "b": "val", "c": "test", "d": "train"})
    assert list(split_of(images)) == ["train", "val", "test", "train"]


def test_missing_test_is_cut_from_train():
    images = given({f"t{k}": "train" for k in range(100)} | {f"v{k}": "val" for k in range(20)})
    counts = split_of(images).value_counts()
    assert counts.to_dict() == {"train": 80, "val": 20, "test": 20}


def test_val_is_not_cut_again_once_the_source_had_one():
    first = given({"a": "train", "b": "val", "c": "test"})
    second = given({f"t{k}": "train" for k in range(50)}, batch=1)
    assert (split_of(together(first, second))[3:] == "train").all()


def test_later_images_follow_a_patient_whose_train_images_became_val():
    first = given({f"t{k}": "train" for k in range(40)} | {"e": "test"})
    second = given({f"t{k}": "train" for k in range(40)}, batch=1)
    for mode in ("fail", "report"):
        table = to_manifest(together(first, second), leaky(mode), TASK)
        assert (table.groupby("group")["split"].nunique() == 1).all()


def test_images_without_a_side_are_drawn_or_follow_their_patient():
    sides = {f"t{k}": ("train", None) for k in range(30)} | {"v": "val", "e": ("test", None)}
    loose = given({f"n{k}": None for k in range(20)}).assign(image_id=lambda t: "n" + t["image_id"])
    for mode in ("fail", "report"):
        table = to_manifest(together(given(sides), loose), leaky(mode), TASK)
        by_patient = table.groupby("patient_id")["split"].agg(set)
        assert all(by_patient[f"t{k}"] == {"train"} for k in range(30))
        assert by_patient["e"] == {"test"}
        drawn = table[table["patient_id"].str.startswith("n")]["split"].value_counts()
        assert drawn.to_dict() == {"train": 13, "test": 4, "val": 3}


MOVED = "drop from batch 1"
LEAKING = {f"t{k}": "train" for k in range(40)} | {"e": "test", "x": ("train", "test", "test")}


def test_leak_fails_with_counts_and_choices():
    with pytest.raises(LeakError, match=r"1 patient \(3 images\).*`drop`.*`report`"):
        split_of(given(LEAKING))


def test_a_leak_costs_the_train_side_and_leaves_test_as_it_is():
    """x, y and z stand on two sides; the side nearest to the test is theirs."""
    sides = LEAKING | {"v": "val", "y": ("train", "val", None), "z": ("val", "test")}
    images = given(sides, label=["sane", "sick"] * 25)
    table = to_manifest(images, leaky("drop"), TASK)
    kept = {
        patient: list(rows["split"].fillna("-")) for patient, rows in table.groupby("patient_id")
    }
    assert (kept["x"], kept["y"], kept["z"]) == (
        ["-", "test", "test"],
        ["-", "val", "-"],
        ["-", "test"],
    )
    assert set(table[table["split"].isna()]["reason"]) == {manifest.LEAK}
    assert (table.groupby("group")["split"].nunique() == 1).all()
    assert all(kept[patient] == [side] for patient, side in sides.items() if isinstance(side, str))
    numbers = receipt(table, leaky("drop"), TASK)
    dropped = {side: (lost["images"], lost["classes"]) for side, lost in numbers["dropped"].items()}
    assert dropped == {
        "train": (2, {"sane": 0, "sick": 2}),
        "val": (1, {"sane": 1, "sick": 0}),
        "no side": (1, {"sane": 0, "sick": 1}),
    }
    assert (
        "3 patients (8 images) stand on two sides of the source's split: of train 2 images (sane "
        "0, sick 2) and of val 1 image (sane 1, sick 0) and of no side 1 image (sane 0, sick 1) "
        "left out"
    ) in summary(numbers)


def test_dropping_moves_nobody_who_does_not_leak():
    """A person may have reported the leak before; and the patient may be withdrawn."""
    images = given(LEAKING)
    clean = images["image_id"][images["patient_id"] != "x"]
    reported, dropped = (split_of(images, leaky(mode)) for mode in ("report", "drop"))
    assert dropped[clean].equals(reported[clean])
    gone = (images["patient_id"] == "x").map({True: "withdrawn"})
    status = gone.notna().map({True: "quarantined", False: "ok"})
    left = split_of(images.assign(status=status, reason=gone), leaky("drop"))
    assert left[clean].equals(dropped[clean])


def test_what_move_has_placed_stays_there_and_later_batches_drop():
    first = given(LEAKING)
    later = {"x": ("train", "test"), "n": ("train", "test"), "t0": "test"}
    images = together(first, given(later, batch=1))
    table = to_manifest(images, leaky(MOVED), TASK).set_index("image_id")
    moved = table["split"]["i0-41"]
    assert moved in ("train", "val")
    assert set(table["split"][["i0-42", "i0-43"]]) == {moved}
    assert list(table["split"][-5:].fillna("-")) == [moved, "-", "-", "test", "-"]
    assert set(table["reason"][-5:].dropna()) == {manifest.LEAK}


def test_a_leak_that_was_withdrawn_is_none_any_more():
    images = given(LEAKING)
    gone = images["patient_id"] == "x"
    images = images.assign(status=gone.map({True: "quarantined", False: "ok"}))
    table = to_manifest(images.assign(reason=gone.map({True: "withdrawn"})), SETTINGS, TASK)
    numbers = receipt(table, SETTINGS, TASK)
    assert numbers["patients_on_two_sides"] == numbers["images_of_patients_on_two_sides"] == 0
    assert numbers["quarantined"] == 0


def test_leak_reported_keeps_the_split_and_val_stays_clean():
    table = to_manifest(given(LEAKING), leaky("report"), TASK)
    assert list(table[table["group"] == "x"]["split"]) == ["train", "test", "test"]
    numbers = receipt(table, leaky("report"), TASK)
    assert numbers["patients_on_two_sides"] == 1
    assert numbers["images_of_patients_on_two_sides"] == 3
    assert {sides: counts["patients"] for sides, counts in numbers["shared"].items()} == {
        "train and val": 0,
        "train and test": 1,
        "val and test": 0,
    }
    assert "1 patient (3 images) stand on two sides" in summary(numbers)


def test_leak_between_batches_is_seen_and_moves_nobody_who_is_settled():
    first = given({f"t{k}": "train" for k in range(40)} | {"e": "test"})
    second = given({"t0": "test", "e": "train"}, batch=1)
    images = together(first, second)
    with pytest.raises(LeakError, match="2 patients"):
        split_of(images)
    before = split_of(first)
    after = split_of(images, leaky("drop"))
    assert after[before.index].equals(before)
    assert after.iloc[-2:].isna().all()  # t0 is trained on, e has its test image


def test_source_moves_no_group_that_an_earlier_batch_drew():
    first = given({f"g{k}": None for k in range(40)})
    second = given({f"g{k}": ("train", None) for k in range(40)}, batch=1)
    third = given({f"g{k}": ("val", "test") for k in range(40)}, batch=2)
    before = split_of(first)
    table = to_manifest(together(first, second, third), leaky("report"), TASK)
    assert set(before) == {"train", "val", "test"}
    assert table.set_index("image_id")["split"][before.index].equals(before)
    assert (table.groupby("group")["split"].nunique() == 1).all()
    numbers = receipt(table, leaky("report"), TASK)
    assert {count for counts in numbers["shared"].values() for count in counts.values()} == {0}


def test_multilabel_strata():
    task = Task(kind="multilabel", classes=["a", "b", "c"])
    images = batch(0, 300).assign(label=lambda t: t["label"].map({"sick": "a|b", "sane": ""}))
    table = to_manifest(images, SETTINGS, task)
    shares = table.groupby("split")["label"].agg(lambda names: (names != "").mean())
    assert shares.max() - shares.min() < 0.08
    assert receipt(table, SETTINGS, task)["splits"]["train"]["classes"]["c"] == 0


def test_assignment_needs_no_look_at_later_batches():
    early, late = batch(0, 30), batch(1, 30, first=10)
    alone = to_manifest(early, SETTINGS, TASK)
    both = to_manifest(together(early, late), SETTINGS, TASK)
    again = assign(both.drop(columns="split"), SETTINGS, "binary")
    assert list(again[: len(early)]) == list(alone["split"])


def test_a_file_that_the_source_shows_on_two_sides_leaks():
    """It is one image; pull notes all its sides."""
    images = given(LEAKING | {"x": "train", "f": "test|train", "g": "val|train"})
    with pytest.raises(LeakError, match=r"^2 pairs of the same picture stand on two sides"):
        split_of(images)
    table = to_manifest(images, leaky("drop"), TASK)
    assert list(table["split"][-2:]) == ["test", "val"]
    assert list(table["source_split"][-2:]) == ["test", "val"]
    numbers = receipt(table, leaky("drop"), TASK)
    assert numbers["dropped"] == {
        "train": {"images": 2, "patients": 2, "classes": {"sane": 2, "sick": 0}}
    }
    reported = to_manifest(images, leaky("report"), TASK)
    assert list(reported["split"][-2:]) == ["test", "val"]
    assert "2 pairs of the same picture" in summary(receipt(reported, leaky("report"), TASK))


FAULTY = {
    "too dark": ("mean", 4.9),
    "too bright": ("mean", 250.1),
    "shows nothing": ("std", 1.9),
    "a thumbnail": ("width", 15),
}


def test_what_is_no_good_by_itself_is_quarantined_and_moves_nobody():
    images = batch(0, 60)
    before = split_of(images)
    faulty = images.assign(mean=5.0, std=2.0, height=16, width=16)
    for row, (column, value) in enumerate(FAULTY.values()):
        faulty.loc[row, column] = value
    table = to_manifest(faulty, SETTINGS, TASK).set_index("image_id")
    assert list(table["status"].eq("ok")) == [False] * 4 + [True] * (len(images) - 4)
    assert all(told in why for told, why in zip(FAULTY, table["reason"], strict=False))
    assert table["split"][4:].equals(before[4:])
    numbers = receipt(table.reset_index(), SETTINGS, TASK)
    assert list(numbers["faults"].values()) == [1, 1, 1, 1]
    assert "1 image quarantined: too dark" in summary(numbers)


def test_faulty_pictures_join_groups_all_the_same():
    """Else a change of a limit would part them, and move one."""
    images = given({f"n{k:02}": None for k in range(20)})
    links = alike(images, *[(f"i0-{k}", f"i0-{k + 10}") for k in range(10)])
    sound = to_manifest(images, SETTINGS, TASK, links)
    dark = images.assign(mean=[1.0] * 5 + [100.0] * 15)
    table = to_manifest(dark, SETTINGS, TASK, links)
    assert table["group"].equals(sound["group"])
    assert table["split"][5:].equals(sound["split"][5:])
