"""Copies of pictures in the split."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest
from worlds.split import (
    LOOSE,
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

from tasks import split as stage
from tasks.common import documents, editing, manifest, paths
from tasks.common.errors import LeakError
from tasks.imaging.description import describe
from tasks.intake import cohort
from tasks.split import main
from tasks.splitting.receipt import summary

PICTURES = {f"t{k}": "train" for k in range(40)} | {"e": "test", "f": "test", "n": None}
COPIES = [("i0-0", "i0-40"), ("i0-41", "i0-42")]  # t0 is e; f is n


def prepared(images, seed=5):
    """With pixels, and what the stage before says of them."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (len(images), 12, 12), np.uint8)
    pixels = np.stack([cv2.resize(of, (64, 64), interpolation=cv2.INTER_CUBIC) for of in coarse])
    return described(images, pixels[..., None]), pixels[..., None]


def described(images, pixels):
    said = pd.DataFrame(describe(pixels), index=images.index).drop(columns="digest")
    return images.assign(row=range(len(images)), **said)


def test_stage_writes_manifest_and_receipt_and_prints_a_table(workspace, capsys, monkeypatch):
    editing.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"]})
    images, pixels = prepared(batch(0, 80))
    images.loc[:3, "patient_id"] = None
    monkeypatch.setattr(stage, "open_pack", lambda: pixels)
    manifest.write(images, paths.IMAGES, manifest.IMAGES)
    main()
    table = manifest.read_manifest()
    assert set(table["split"]) == {"train", "val", "test"}
    numbers = documents.read_json(paths.SPLIT_RECEIPT)
    assert sum(side["images"] for side in numbers["splits"].values()) == len(images)
    assert numbers["images_without_patient_id"] == 4
    first = paths.MANIFEST.read_bytes(), paths.SPLIT_RECEIPT.read_bytes()
    assert not any(name in first[1].decode() for name in ("p10", "0-10-0"))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["split", "images", "patients", "sane", "sick"]
    assert [line.split()[0] for line in printed[1:4]] == ["train", "val", "test"]
    assert "4 of" in printed[4]
    manifest.write(images.iloc[::-1], paths.IMAGES, manifest.IMAGES)
    main()
    assert paths.SPLIT_RECEIPT.read_bytes() == first[1]


def test_stage_finds_copies_and_lists_them(workspace, capsys, monkeypatch):
    """The copy of a picture of p0 in p1, brighter; the same pixels of p2 and p3, who differ."""
    editing.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"], "split.on_leak": "move"})
    images, pixels = prepared(given({f"p{k}": None for k in range(30)}))
    pixels[1], pixels[3] = cv2.add(pixels[0], 12)[..., None], pixels[2]
    images = described(images, pixels)
    images.loc[3, "label"] = "sick"
    monkeypatch.setattr(stage, "open_pack", lambda: pixels)
    manifest.write(images, paths.IMAGES, manifest.IMAGES)
    main()
    table = manifest.read(paths.MANIFEST, manifest.MANIFEST).set_index("patient_id")
    assert table["group"]["p1"] == table["group"]["p0"] == "p0"
    assert table["split"]["p1"] == table["split"]["p0"]
    assert list(table["status"][["p2", "p3"]]) == ["quarantined"] * 2
    assert "two labels" not in table["reason"]["p2"]
    assert "another label" in table["reason"]["p2"]
    found = documents.read_json(paths.SPLIT_RECEIPT)["duplicates"]
    assert found == {
        "pairs_between_patients": 2,
        "of_them_with_the_same_pixels": 1,
        "of_them_under_two_labels": 1,
        "patients_joined_to_another": 2,
        "quarantined_settled_on_another_side": 0,
        "quarantined_same_pixels_under_two_labels": 2,
        "too_flat_to_compare": 0,
    }
    listed = pd.read_csv(paths.SPLIT_FINDINGS).set_index("image_id")
    assert set(listed.index) == {"i0-1", "i0-2", "i0-3"}
    assert list(listed.loc[["i0-1"], "other_image_id"]) == ["i0-0"]
    assert "2 images quarantined: their pixels stand under two labels" in capsys.readouterr().out


def test_a_leak_of_pictures_is_listed_before_it_fails(workspace, capsys, monkeypatch):
    editing.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"]})
    images, pixels = prepared(given({f"p{k}": "train" for k in range(9)} | {"e": "test"}))
    pixels[9] = pixels[0]
    monkeypatch.setattr(stage, "open_pack", lambda: pixels)
    manifest.write(described(images, pixels), paths.IMAGES, manifest.IMAGES)
    with pytest.raises(SystemExit):
        main()
    assert "1 pair of the same picture stand on two sides" in capsys.readouterr().err
    assert list(pd.read_csv(paths.SPLIT_FINDINGS)["image_id"]) == ["i0-9"]


def test_copies_fall_on_the_side_of_the_first_and_nobody_else_moves():
    images = given(LOOSE)
    links = [(f"i0-{k}", f"i0-{k + 20}") for k in range(20)]
    alone = split_of(images)
    table = to_manifest(images, SETTINGS, TASK, alike(images, *links))
    now = table.set_index("image_id")["split"]
    assert list(now) == list(alone[:20]) * 2
    assert table["group"].nunique() == 20
    numbers = receipt(table, SETTINGS, TASK, alike(images, *links))
    assert numbers["duplicates"]["patients_joined_to_another"] == 20
    assert {count for of in numbers["shared"].values() for count in of.values()} == {0}


def test_later_copies_take_the_settled_side():
    first, second = given(LOOSE), given({f"m{k}": (None, None) for k in range(40)}, batch=1)
    images = together(first, second)
    links = [(f"i0-{k}", f"i1-{2 * k}") for k in range(40)]
    before = split_of(first)
    table = to_manifest(images, SETTINGS, TASK, alike(images, *links)).set_index("image_id")
    assert table["split"][before.index].equals(before)
    for k in range(40):  # the new patient's other image comes along
        assert set(table["split"][[f"i1-{2 * k}", f"i1-{2 * k + 1}"]]) == {before[f"i0-{k}"]}
    assert table["status"].eq("ok").all()


def test_what_links_settled_groups_is_quarantined_and_moves_nobody():
    first = given(LOOSE)
    before = split_of(first)
    a, b = before[before == "train"].index[0], before[before == "test"].index[0]
    patients = first.set_index("image_id")["patient_id"]
    second = given({patients[a]: None}, batch=1)  # a picture of b's in a's name
    third = given({"new": (None, None)}, batch=2)  # one of a's and one of b's
    images = together(first, second, third)
    like = alike(images, (b, "i1-0"), (a, "i2-0"), (b, "i2-1"))
    table = to_manifest(images, SETTINGS, TASK, like).set_index("image_id")
    assert table["split"][before.index].equals(before)
    assert table["status"]["i1-0"] == "quarantined"
    assert "settled on another side" in table["reason"]["i1-0"]
    assert list(table["split"][["i2-0", "i2-1"]].fillna("-")) in (["train", "-"], ["-", "test"])
    numbers = receipt(table.reset_index(), SETTINGS, TASK, like)
    assert numbers["duplicates"]["quarantined_settled_on_another_side"] == 2
    assert numbers["shared"]["train and test"]["duplicates"] == 0


def test_the_sources_sides_are_never_mixed_by_a_later_copy():
    first = given({f"t{k}": "train" for k in range(20)} | {"e": "test", "v": "val"})
    second = given({"late": "train", "loose": None}, batch=1)
    images = together(first, second)
    like = alike(images, ("i0-20", "i1-0"), ("i0-20", "i1-1"))
    for mode in ("fail", "move", "report"):
        table = to_manifest(images, leaky(mode), TASK, like).set_index("image_id")
        assert table["status"]["i1-0"] == "quarantined"
        assert table["split"]["i1-1"] == table["split"]["i0-20"] == "test"


def test_pictures_on_two_sides_of_the_source_fail():
    images = given(PICTURES)
    with pytest.raises(LeakError, match=r"^1 pair of the same picture stand on two sides"):
        to_manifest(images, SETTINGS, TASK, alike(images, *COPIES))


def test_pictures_on_two_sides_of_the_source_move_to_train():
    images = given(PICTURES)
    table = to_manifest(images, leaky("move"), TASK, alike(images, *COPIES))
    sides = table.set_index("patient_id")["split"]
    assert sides["e"] == sides["t0"] != "test"
    assert sides["n"] == sides["f"] == "test"
    assert (table.groupby("group")["split"].nunique() == 1).all()


def test_pictures_on_two_sides_of_the_source_are_reported():
    images = given(PICTURES)
    like = alike(images, *COPIES)
    table = to_manifest(images, leaky("report"), TASK, like)
    sides = table.set_index("patient_id")["split"]
    assert (sides["t0"], sides["e"], sides["f"], sides["n"]) == ("train", "test", "test", "test")
    numbers = receipt(table, leaky("report"), TASK, like)
    assert numbers["pictures_on_two_sides"] == 1
    assert numbers["shared"]["train and test"] == {"patients": 0, "groups": 1, "duplicates": 1}
    assert "1 pair of the same picture stand on two sides" in summary(numbers)


def test_a_reported_leak_of_pictures_is_cut_to_val_no_more_than_one_of_patients():
    """Each training patient has an image without a side, and a picture that a test patient has."""
    sides = {f"t{k:02}": ("train", None) for k in range(40)} | {f"u{k}": "train" for k in range(40)}
    images = given(sides | {f"e{k}": "test" for k in range(40)})
    like = alike(images, *[(f"i0-{2 * k}", f"i0-{120 + k}") for k in range(40)])
    table = to_manifest(images, leaky("report"), TASK, like)
    assert set(table["split"][:80]) == {"train"}
    assert set(table["split"][80:120]) == {"train", "val"}
    assert set(table["split"][120:]) == {"test"}


def test_a_patient_who_joined_another_stays_there_whatever_the_source_says_later():
    first = given({f"t{k}": "train" for k in range(20)} | {"e": "test"})
    second = given({"f": None}, batch=1)
    third = given({"f": "train"}, batch=2)
    images = together(first, second, third)
    table = to_manifest(images, leaky("report"), TASK, alike(images, ("i0-20", "i1-0")))
    assert list(table["split"][-2:]) == ["test", "test"]


def test_the_same_pixels_under_two_labels():
    """Both go where they came together; of what came later only the one that differs."""
    first = given(
        {"a": None, "b": None, "c": None, **LOOSE}, label=["sick", "sane"] + ["sane"] * 41
    )
    second = given({"d": None, "e": None, "f": None}, batch=1, label=["sick", "sane", "sane"])
    images = together(first, second)
    same = {"i0-0": "x", "i0-1": "x", "i1-2": "x", "i0-2": "y", "i1-0": "y", "i1-1": "y"}
    table = to_manifest(images, SETTINGS, TASK, alike(images, same=same)).set_index("image_id")
    assert set(table.index[table["status"] != "ok"]) == {"i0-0", "i0-1", "i1-2", "i1-0"}
    assert table.loc["i0-2":"i0-42", "split"].notna().all()


def test_a_withdrawal_moves_nobody_who_was_joined_by_its_pictures():
    """The pictures that linked them are gone; `known` is what the withdrawal remembers."""
    would_have_moved = 0
    for seed in range(12):
        images = batch(0, 30, seed).assign(reason=None, source_name=None, path="x")
        before = to_manifest(images, SETTINGS, TASK, alike(images, ("0-0-0", "0-1-0")))
        root = before.set_index("image_id").loc["0-0-0", "group"]
        other = {"p0": "p1", "p1": "p0"}[root]
        gone = images["patient_id"] == root
        stand_ins = cohort.stand_ins(images[gone], "withdrawn").assign(status="quarantined")
        left = together(images[~gone], stand_ins)
        side = before[before["patient_id"] == other]["split"].iloc[0]
        for known in ({other: root}, {}):
            after = to_manifest(left, SETTINGS, TASK, known=known)
            kept = after[after["patient_id"] == other]["split"].iloc[0] == side
            assert kept or not known
            would_have_moved += not kept
    assert would_have_moved > 2
