from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from tasks import cohort, documents, edit, manifest, params, paths, split_receipt
from tasks import split as stage
from tasks.assignment import assign
from tasks.duplicates import Likeness
from tasks.errors import DataError, LeakError, ParameterError
from tasks.imaging.describe import describe
from tasks.params import Split, Task
from tasks.split import main
from tasks.split_receipt import summary

SETTINGS = Split(val=0.15, test=0.2, folds=None, fold=0, on_leak="fail", seed=11)
TASK = Task(kind="binary", classes=["sane", "sick"])


def batch(number, patients, seed=0, first=0, **given):
    """Images of `patients` patients with one to four images, about a third of them sick."""
    generator = np.random.default_rng([seed, number])
    rows = []
    for patient in range(first, first + patients):
        sick = generator.random() < 0.3
        for image in range(generator.integers(1, 5)):
            label = "sick" if sick and generator.random() < 0.7 else "sane"
            rows.append(
                {
                    "image_id": f"{number}-{patient}-{image}",
                    "patient_id": f"p{patient}",
                    "batch": number,
                    "label": label,
                    "source_split": None,
                    "status": "ok",
                    **given,
                }
            )
    return pd.DataFrame(rows)


def together(*tables):
    return pd.concat(tables, ignore_index=True)


def given(sides, **columns):
    """One image a patient and side: `{"a": "train", "b": ("train", "test")}`."""
    rows = [
        {"patient_id": patient, "source_split": side}
        for patient, named in sides.items()
        for side in ([named] if named is None or isinstance(named, str) else named)
    ]
    table = pd.DataFrame(rows)
    table["image_id"] = [f"i{columns.get('batch', 0)}-{k}" for k in range(len(table))]
    return table.assign(**{"batch": 0, "label": "sane", "status": "ok", **columns})


def alike(images, *links, same=None):
    """`links` are pairs of image_ids, `same` maps image_ids to a digest of their pixels."""
    known = images.reset_index().set_index("image_id")
    order = [sorted(link, key=lambda of: (known["batch"][of], of)) for link in links]
    order.sort(key=lambda link: (known["batch"][link[1]], link[1], link[0]))
    ends = [[int(known["index"][of]) for of in link] for link in order]
    pairs = pd.DataFrame(ends, columns=["first", "second"], dtype="int64")
    of = [(same or {}).get(image_id) for image_id in images["image_id"]]
    digests = pd.Series(of, index=images.index, dtype="str")
    return Likeness(pairs.assign(distance=0, similarity=1.0), digests)


def to_manifest(images, settings, task, like=None, **known):
    images = images.assign(reason=None) if "reason" not in images else images
    like = alike(images) if like is None else like
    return stage.to_manifest(stage.by_patient(images), settings, task, like, **known)


def receipt(table, settings, task, like=None):
    like = alike(table) if like is None else like
    return split_receipt.receipt(table.assign(std=50.0), like, settings, task)


def split_of(images, settings=SETTINGS, task=TASK):
    return to_manifest(images, settings, task).set_index("image_id")["split"]


def leaky(mode):
    return SETTINGS.model_copy(update={"on_leak": mode})


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
    with pytest.raises(DataError, match="sickly"):
        split_of(batch(0, 5, label="sickly"))


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


LEAKING = {f"t{k}": "train" for k in range(40)} | {"e": "test", "x": ("train", "test", "test")}


def test_leak_fails_with_counts_and_choices():
    with pytest.raises(LeakError, match=r"1 patients \(3 images\).*`move`.*`report`"):
        split_of(given(LEAKING))


def test_leak_moves_to_train_so_that_no_training_patient_is_tested():
    table = to_manifest(given(LEAKING), leaky("move"), TASK)
    assert (table.groupby("group")["split"].nunique() == 1).all()
    assert "x" not in set(table[table["split"] == "test"]["group"])


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
    assert {sides: of["patients"] for sides, of in numbers["shared"].items()} == {
        "train and val": 0,
        "train and test": 1,
        "val and test": 0,
    }
    assert "1 patients (3 images) stand on two sides" in summary(numbers)


def test_leak_between_batches_is_seen_and_moves_nobody_who_is_settled():
    first = given({f"t{k}": "train" for k in range(40)} | {"e": "test"})
    second = given({"t0": "test", "e": "train"}, batch=1)
    images = together(first, second)
    with pytest.raises(LeakError, match="2 patients"):
        split_of(images)
    before = split_of(first)
    after = split_of(images, leaky("move"))
    assert after[before.index].equals(before)
    assert after.iloc[-2] == before.iloc[0]
    assert after.iloc[-1] == "test"


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
    assert {count for of in numbers["shared"].values() for count in of.values()} == {0}


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
    edit.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"]})
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
    edit.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"], "split.on_leak": "move"})
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
    edit.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"]})
    images, pixels = prepared(given({f"p{k}": "train" for k in range(9)} | {"e": "test"}))
    pixels[9] = pixels[0]
    monkeypatch.setattr(stage, "open_pack", lambda: pixels)
    manifest.write(described(images, pixels), paths.IMAGES, manifest.IMAGES)
    with pytest.raises(SystemExit):
        main()
    assert "1 pairs of the same picture stand on two sides" in capsys.readouterr().err
    assert list(pd.read_csv(paths.SPLIT_FINDINGS)["image_id"]) == ["i0-9"]


LOOSE = {f"n{k:02}": None for k in range(40)}


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


PICTURES = {f"t{k}": "train" for k in range(40)} | {"e": "test", "f": "test", "n": None}
COPIES = [("i0-0", "i0-40"), ("i0-41", "i0-42")]  # t0 is e; f is n


def test_pictures_on_two_sides_of_the_source_fail():
    images = given(PICTURES)
    with pytest.raises(LeakError, match=r"^1 pairs of the same picture stand on two sides"):
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
    assert "1 pairs of the same picture stand on two sides" in summary(numbers)


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


def test_folds_cut_train_and_val_and_leave_test_alone():
    images = together(batch(0, 200), batch(1, 60, first=180))
    plain = split_of(images)
    settings = SETTINGS.model_copy(update={"folds": 5})
    vals = []
    for fold in range(5):
        table = to_manifest(images, settings.model_copy(update={"fold": fold}), TASK)
        now = table.set_index("image_id")["split"]
        assert (now == "test").equals(plain == "test")
        assert (table.groupby("group")["split"].nunique() == 1).all()
        assert (table["fold"].isna() == (table["split"] == "test")).all()
        assert list((table["fold"] == fold).fillna(False)) == list(table["split"] == "val")
        vals.append(set(now.index[now == "val"]))
    assert set.union(*vals) == set(plain.index[plain != "test"])
    assert sum(map(len, vals)) == len(set.union(*vals))
    numbers = receipt(table, settings, TASK)
    assert [of["patients"] for of in numbers["folds"].values()] == pytest.approx([38] * 5, abs=4)


def test_a_fold_is_one_of_the_folds(workspace):
    for folds, fold in ((None, 1), (5, 5), (1, 0)):
        with pytest.raises(ParameterError, match="split"):
            params.parse(
                YAML(typ="safe").load(paths.PARAMS) | {"split": split_section(folds, fold)}
            )
    assert params.Split(**split_section(5, 4)).fold == 4


def split_section(folds, fold):
    return SETTINGS.model_dump() | {"folds": folds, "fold": fold}


def test_copies_share_a_fold_and_folds_stay():
    first, second = given(LOOSE), given({f"m{k}": None for k in range(40)}, batch=1)
    settings = SETTINGS.model_copy(update={"folds": 4})
    before = to_manifest(first, settings, TASK)["fold"]
    images = together(first, second)
    like = alike(images, *[(f"i0-{k}", f"i1-{k}") for k in range(10)])
    now = to_manifest(images, settings, TASK, like)["fold"]
    assert now[:40].equals(before)
    assert list(now[40:50]) == list(before[:10])


def test_what_links_two_folds_is_quarantined():
    first = given(LOOSE)
    settings = SETTINGS.model_copy(update={"folds": 2})
    folds = to_manifest(first, settings, TASK).set_index("image_id")["fold"]
    a, b = folds[folds == 0].index[0], folds[folds == 1].index[0]
    patient = first.set_index("image_id")["patient_id"][a]
    images = together(first, given({patient: None}, batch=1))
    table = to_manifest(images, settings, TASK, alike(images, (b, "i1-0")))
    assert list(table.index[table["status"] != "ok"]) == [40]


def test_a_val_of_the_source_is_part_of_the_folds():
    images = given({f"t{k}": "train" for k in range(20)} | {"v": "val", "w": "val", "e": "test"})
    settings = SETTINGS.model_copy(update={"folds": 11, "fold": 2})
    table = to_manifest(images, settings, TASK)
    assert table["split"].value_counts().to_dict() == {"train": 20, "val": 2, "test": 1}
    assert "val is part of the folds" in summary(receipt(table, settings, TASK))


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
