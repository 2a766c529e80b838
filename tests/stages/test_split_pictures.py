"""Copies of pictures in the split."""

from __future__ import annotations

from types import SimpleNamespace

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
    receipt,
    split_of,
    to_manifest,
    together,
)

from tasks import split as stage
from tasks.common import documents, editing, manifest, paths
from tasks.common.params.task import Task
from tasks.imaging.description import describe
from tasks.intake import cohort
from tasks.split import main
from tasks.splitting import joining
from tasks.splitting.receipt import summary


def prepared(images, seed=5):
    """With pixels, and what the stage before says of them."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (len(images), 12, 12), np.uint8)
    pixels = np.stack(
        [cv2.resize(picture, (64, 64), interpolation=cv2.INTER_CUBIC) for picture in coarse]
    )
    return described(images, pixels[..., None]), pixels[..., None]


def coded(picture):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0)[
        ..., None
    ]


def described(images, pixels):
    said = pd.DataFrame(describe(pixels, pixels), index=images.index).drop(columns="digest")
    return images.assign(row=range(len(images)), height=64, width=64, **said)


def test_stage_writes_manifest_and_receipt_and_prints_a_table(workspace, capsys, monkeypatch):
    editing.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"]})
    images, pixels = prepared(batch(0, 80))
    images.loc[:3, "patient_id"] = None
    monkeypatch.setattr(stage, "open_pack", lambda: pixels)
    monkeypatch.setattr(stage, "made_with", lambda: SimpleNamespace(fit="stretch"))
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
    """p1 has a picture of p0, brighter; p3 one of p2 coded anew, under another label; p5 one like
    p4's, with a corner of its own, under another label.
    """
    editing.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"], "split.on_leak": "drop"})
    images, pixels = prepared(given({f"p{k}": None for k in range(30)}))
    pixels[1], pixels[3] = cv2.add(pixels[0], 12)[..., None], coded(pixels[2])
    pixels[5] = pixels[4]
    pixels[5, :6, :6] = 255 - pixels[5, :6, :6]
    images = described(images, pixels)
    images.loc[[3, 5], "label"] = "sick"
    monkeypatch.setattr(stage, "open_pack", lambda: pixels)
    monkeypatch.setattr(stage, "made_with", lambda: SimpleNamespace(fit="stretch"))
    manifest.write(images, paths.IMAGES, manifest.IMAGES)
    main()
    table = manifest.read(paths.MANIFEST, manifest.MANIFEST).set_index("patient_id")
    assert table["group"]["p1"] == table["group"]["p0"] == "p0"
    assert table["split"]["p1"] == table["split"]["p0"]
    assert list(table["status"][["p2", "p3"]]) == ["quarantined"] * 2
    assert set(table["reason"][["p2", "p3"]]) == {joining.TWO_LABELS}
    assert list(table["status"][["p4", "p5"]]) == ["ok"] * 2
    found = documents.read_json(paths.SPLIT_RECEIPT)["duplicates"]
    assert found == {
        "pairs_between_patients": 3,
        "of_them_with_the_same_pixels": 0,
        "of_them_under_two_labels": 2,
        "patients_joined_to_another": 3,
        "patients_of_the_largest_group": 2,
        "quarantined_settled_on_another_side": 0,
        "quarantined_same_picture_under_two_labels": 2,
        "like_pictures_under_two_labels": 1,
    }
    listed = pd.read_csv(paths.SPLIT_FINDINGS)
    columns = ["finding", "image_id", "label", "other_image_id", "other_label"]
    assert listed[columns].to_numpy().tolist() == [
        ["like picture in two patients", "i0-5", "sick", "i0-4", "sane"],
        ["like picture under two labels", "i0-5", "sick", "i0-4", "sane"],
        ["same picture in two patients", "i0-1", "sane", "i0-0", "sane"],
        ["same picture in two patients", "i0-3", "sick", "i0-2", "sane"],
        ["same picture under two labels", "i0-3", "sick", "i0-2", "sane"],
    ]
    told = capsys.readouterr().out
    assert "2 images quarantined: their picture stands under two labels" in told
    assert "1 pairs of like pictures, such as neighbouring slices, under two labels" in told


def test_a_leak_of_pictures_is_listed_before_it_fails(workspace, capsys, monkeypatch):
    editing.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"]})
    images, pixels = prepared(given({f"p{k}": "train" for k in range(9)} | {"e": "test"}))
    pixels[9] = pixels[0]
    monkeypatch.setattr(stage, "open_pack", lambda: pixels)
    monkeypatch.setattr(stage, "made_with", lambda: SimpleNamespace(fit="stretch"))
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
    assert {count for counts in numbers["shared"].values() for count in counts.values()} == {0}


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


def test_the_same_picture_under_two_labels():
    """Both go where they came together; of what came later only the one that differs."""
    first = given(
        {"a": None, "b": None, "c": None, **LOOSE}, label=["sick", "sane"] + ["sane"] * 41
    )
    second = given({"d": None, "e": None, "f": None}, batch=1, label=["sick", "sane", "sane"])
    third = given({"g": None, "h": None}, batch=2, label=["sane", "sick"])
    images = together(first, second, third)
    same = {"i0-0": "x", "i0-1": "x", "i1-2": "x", "i0-2": "y", "i1-0": "y", "i1-1": "y"}
    same |= {"i2-0": "y", "i2-1": "y"}  # one with the first, one with what was taken out
    table = to_manifest(images, SETTINGS, TASK, alike(images, same=same)).set_index("image_id")
    out = {"i0-0", "i0-1", "i1-2", "i1-0", "i2-1"}
    assert set(table.index[table["status"] != "ok"]) == out
    assert set(table["reason"].dropna()) == {joining.TWO_LABELS}
    assert table.loc["i0-2":"i0-42", "split"].notna().all()


def test_the_same_picture_of_one_patient_under_two_labels():
    images = given({"a": (None, None), **LOOSE}, label=["sick", "sane"] + ["sane"] * 40)
    same = alike(images, same={"i0-0": "x", "i0-1": "x"})
    assert not same["between"].any()
    table = to_manifest(images, SETTINGS, TASK, same)
    assert list(table.index[table["status"] != "ok"]) == [0, 1]


def test_names_of_a_multilabel_in_another_order_are_no_second_label():
    task = Task(kind="multilabel", classes=["a", "b"])
    images = given(LOOSE, label=["a|b", "b|a", "a"] + [""] * 37)
    table = to_manifest(images, SETTINGS, task, alike(images, same={"i0-0": "x", "i0-1": "x"}))
    assert table["status"].eq("ok").all()
    table = to_manifest(images, SETTINGS, task, alike(images, same={"i0-0": "x", "i0-2": "x"}))
    assert list(table.index[table["status"] != "ok"]) == [0, 2]


def test_a_large_group_is_told():
    images = given(LOOSE)
    like = alike(images, *[(f"i0-{k}", f"i0-{k + 1}") for k in range(20)])
    numbers = receipt(to_manifest(images, SETTINGS, TASK, like), SETTINGS, TASK, like)
    assert numbers["duplicates"]["patients_of_the_largest_group"] == 21
    assert "21 patients are one group because pictures of theirs are alike" in summary(numbers)


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
