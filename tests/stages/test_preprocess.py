from __future__ import annotations

import errno
import hashlib
import os

import cv2
import numpy as np
import pandas as pd
import pytest
from worlds.dicom_files import make_dicom

from tasks.common import editing, manifest, paths
from tasks.common.errors import DataError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.imaging import batching, pack
from tasks.imaging.preparation import prepare
from tasks.preprocess import check_quarantine, main, to_images


@pytest.fixture
def cohort(workspace):
    """Twelve pictures, the last in colour, one file that is none, one that pull had to refuse."""
    editing.set_values(
        paths.PARAMS, {"preprocess.size": [16, 16], "preprocess.max_quarantined": 0.2}
    )
    generator = np.random.default_rng(0)
    rows = []
    for number in range(14):
        image_id = hashlib.sha256(bytes([number])).hexdigest()
        channels = (3,) if number == 11 else ()
        picture = generator.integers(0, 255, (20, 30, *channels), np.uint8)
        content = cv2.imencode(".png", picture)[1].tobytes() if number < 12 else b"\xff\xd8\xff"
        row = {"image_id": image_id, "path": f"{image_id[:2]}/{image_id}.png", "batch": 0}
        row |= {"label": "nodule", "patient_id": f"p{number}", "reason": None}
        if number == 13:
            row |= {"path": None, "reason": "the file is empty"}
        else:
            (paths.RAW / row["path"]).parent.mkdir(parents=True, exist_ok=True)
            (paths.RAW / row["path"]).write_bytes(content)
        rows.append(row)
    table = pd.DataFrame(rows)
    manifest.write(table, paths.COHORT, manifest.COHORT)
    return table


def test_stage_writes_table_and_pack(cohort, capsys):
    main()
    images = manifest.read(paths.IMAGES, manifest.IMAGES).set_index("image_id")
    pixels = pack.open_pack()
    assert pixels.shape == (12, 16, 16, 1)
    usable = images[images["status"] == "ok"]
    assert sorted(usable["row"]) == list(range(12))
    for _, image in usable.iterrows():
        row = pixels[image["row"]][2:13]  # 20 x 30 became 11 x 16, between bars
        assert not pixels[image["row"]][[0, 1, 13, 14, 15]].any()
        assert (image["height"], image["width"]) == (20, 30)
        assert image["mean"] == pytest.approx(row.mean())
        assert image["std"] == pytest.approx(row.std())
        assert (image["min"], image["max"]) == (row.min(), row.max())
        assert len(image["phash"]) == 16
    lost = images[images["status"] == "quarantined"]
    assert sorted(lost["reason"]) == [
        "the file is empty",
        "the picture is damaged or of an unknown coding",
    ]
    assert (lost["row"] == -1).all()
    printed = capsys.readouterr().out
    assert "12 images in the pack, 2 quarantined" in printed
    assert "1 show colours" in printed


def test_second_run_and_other_order_give_the_same_bytes(cohort):
    main()
    first = [path.read_bytes() for path in (paths.IMAGES, paths.PACK)]
    manifest.write(cohort.iloc[::-1], paths.COHORT, manifest.COHORT)
    main()
    assert [path.read_bytes() for path in (paths.IMAGES, paths.PACK)] == first


def test_too_many_quarantined_are_listed(cohort, capsys):
    editing.set_values(paths.PARAMS, {"preprocess.max_quarantined": 0.1})
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().err
    assert "2 of 14 images (14.3%)" in told
    for image_id in cohort["image_id"][12:]:
        assert image_id[:12] in told
    assert "preprocess.max_quarantined" in told
    assert not paths.IMAGES.exists()


def test_limit_is_a_share_that_may_be_reached():
    images = pd.DataFrame(
        {"image_id": list("abcd"), "status": ["ok"] * 3 + ["quarantined"], "reason": [None] * 4}
    )
    check_quarantine(images, 0.25)
    with pytest.raises(DataError):
        check_quarantine(images, 0.24)


def test_without_a_usable_image_nothing_goes_on():
    images = pd.DataFrame({"image_id": ["a"], "status": ["quarantined"], "reason": ["broken"]})
    with pytest.raises(DataError, match="1 of 1 images"):
        check_quarantine(images, 1.0)


def test_cohort_without_any_file(cohort, capsys):
    manifest.write(cohort.tail(1), paths.COHORT, manifest.COHORT)
    with pytest.raises(SystemExit):
        main()
    assert "the file is empty" in capsys.readouterr().err


def test_reason_of_pull_stands():
    cohort = pd.DataFrame({"image_id": ["a", "b"], "reason": ["two labels: x, y", None]})
    facts = pd.DataFrame({column: [None] for column in pack.FACTS}, index=["b"])
    images = to_images(cohort, facts)
    assert list(images["status"]) == ["quarantined", "ok"]
    assert images["reason"][0] == "two labels: x, y"
    assert list(images["row"]) == [-1, 0]


def test_frames_of_one_file(cohort):
    frames = np.random.default_rng(1).integers(0, 255, (3, 20, 20), np.uint8)
    content = make_dicom(frames)
    digest = hashlib.sha256(content).hexdigest()
    (paths.RAW / "frames.dcm").write_bytes(content)
    rows = [{"image_id": f"{digest}-{k}", "path": "frames.dcm", "batch": 0} for k in range(3)]
    manifest.write(pd.DataFrame(rows), paths.COHORT, manifest.COHORT)
    main()
    pixels = pack.open_pack()
    settings = load(Params).preprocess
    for k in range(3):
        expected = prepare(content, settings, k).pixels
        assert np.array_equal(pixels[k], expected)
    assert len({pixels[k].tobytes() for k in range(3)}) == 3


def test_disk_that_is_full_at_the_end_is_named_and_a_rerun_prepares_nothing(
    cohort, capsys, monkeypatch
):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(manifest, "write", full)
        with pytest.raises(SystemExit):
            main()
    told = capsys.readouterr().err
    assert "data/processed cannot be written (No space left on device)" in told
    broken = (paths.RAW / cohort["path"][12]).read_bytes()
    read = []
    monkeypatch.setattr(batching, "prepare", lambda *a: read.append(a[0]) or prepare(*a))
    main()
    assert read == [broken]
    assert len(pack.open_pack()) == 12
