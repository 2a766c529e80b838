from __future__ import annotations

import cv2
import numpy as np
import pytest
from worlds.pack import SETTINGS, build, digest_of, home

from tasks.common import paths
from tasks.common.errors import DataError
from tasks.imaging import batching, blocks, pack
from tasks.imaging.preparation import prepare


def test_rows_are_the_prepared_pixels(files):
    receipt, table = build(files(range(5)))
    pixels = pack.open_pack()
    assert receipt["shape"] == [5, 16, 24, 1]
    assert receipt["digest"] == digest_of(pixels)
    for row, path in zip(table["row"], table["path"], strict=True):
        made = prepare((paths.RAW / path).read_bytes(), SETTINGS).pixels
        assert np.array_equal(pixels[row], made)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


def test_receipt_does_not_depend_on_the_order_or_the_machine(files, monkeypatch, tmp_path):
    first, _ = build(files(range(5)))
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "elsewhere"))
    second, _ = build(files(range(5)).iloc[::-1])
    assert first == second


def test_one_new_image_costs_one_decode(files, decoded):
    build(files(range(6)))
    assert len(decoded) == 6
    receipt, _ = build(files(range(7)))
    assert len(decoded) == 7
    assert receipt["shape"][0] == len(pack.open_pack()) == 7
    assert len(list(home().iterdir())) == 1  # the earlier pack is superseded


def test_broken_file_has_no_row_and_is_alone_tried_again(files, decoded):
    images = files(range(4), broken={2})
    receipt, _ = build(images)
    assert receipt["shape"][0] == 3
    decoded.clear()
    facts = pack.prepare_all(images, SETTINGS)
    assert facts["reason"].notna().sum() == 1
    assert decoded == [b"broken"]


def test_file_fixed_in_place_is_read(files, decoded, monkeypatch, tmp_path):
    build(files(range(4), broken={2}))
    fixed, _ = build(files(range(4)))
    assert fixed["shape"][0] == 4
    assert len(decoded) == 5
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "another clone"))
    files(range(4), broken={1})
    with pytest.raises(DataError, match="1 of 4 images can be read where"):
        pack.open_pack()
    files(range(4))
    assert digest_of(pack.open_pack()) == fixed["digest"]


def test_nothing_but_broken_files(files):
    receipt, _ = build(files(range(3), broken=range(3)))
    assert receipt["shape"][0] == 0
    receipt, _ = build(files(range(3)))
    assert receipt["shape"][0] == 3


def test_block_of_broken_files_only(files):
    build(files(range(3)))
    images = files(range(4), broken={3})
    receipt, _ = build(images)
    assert receipt["shape"][0] == 3
    assert pack.prepare_all(images, SETTINGS)["reason"].notna().sum() == 1


def test_killed_build_goes_on(files, decoded, monkeypatch):
    images = files(range(10))
    monkeypatch.setattr(batching, "MOST_IMAGES", 3)
    monkeypatch.setattr(pack, "BLOCK_SECONDS", 0.0)
    finish, finished = blocks.Draft.finish, []

    def killed(draft, folder, table):
        if len(finished) == 2:
            raise KeyboardInterrupt
        finished.append(folder)
        return finish(draft, folder, table)

    monkeypatch.setattr(blocks.Draft, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        pack.prepare_all(images, SETTINGS)
    monkeypatch.setattr(blocks.Draft, "finish", finish)
    decoded.clear()
    receipt, _ = build(images)
    assert len(decoded) == 4
    assert receipt["shape"][0] == 10
    assert receipt["digest"] == digest_of(pack.open_pack())


def test_half_written_pack_is_never_taken_for_whole(files):
    images = files(range(4))
    pack.prepare_all(images, SETTINGS)

    def torn():
        with blocks.draft(home(), (16, 24, 1)) as draft:
            draft.append(np.zeros((2, 16, 24, 1), np.uint8))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        torn()
    assert not list(home().glob(f"{blocks.DRAFT}*"))
    receipt, _ = build(images)
    assert receipt["digest"] == digest_of(pack.open_pack())


def test_drafts_of_dead_processes_are_removed(files):
    images = files(range(3))
    pack.prepare_all(images, SETTINGS)
    (home() / f"{blocks.DRAFT}999999999-part").mkdir()
    receipt, _ = build(images)
    assert [folder.name for folder in home().iterdir()] == [receipt["key"]]


def test_deleted_state_is_built_anew(files, monkeypatch, tmp_path):
    receipt, _ = build(files(range(4)))
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "another clone"))
    assert digest_of(pack.open_pack()) == receipt["digest"]


def test_other_files_are_not_taken_for_the_same_pack(files, monkeypatch, tmp_path):
    _, table = build(files(range(4)))
    other = cv2.imencode(".png", np.eye(30, dtype=np.uint8) * 200)[1].tobytes()
    (paths.RAW / table["path"][0]).write_bytes(other)
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "another clone"))
    with pytest.raises(DataError, match=r"required: the pack of .*dvc checkout"):
        pack.open_pack()


def test_files_that_can_no_longer_be_read(files, monkeypatch, tmp_path):
    _, table = build(files(range(4)))
    (paths.RAW / table["path"][1]).write_bytes(b"damaged")
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "another clone"))
    with pytest.raises(DataError, match="1 of 4 images can be read where"):
        pack.open_pack()


def test_missing_files_and_missing_receipt(files):
    with pytest.raises(DataError, match="dvc repro preprocess"):
        pack.open_pack()
    images = files(range(3))
    (paths.RAW / images["path"][0]).unlink()
    with pytest.raises(DataError, match=r"1 of 3 files .*dvc checkout"):
        pack.prepare_all(images, SETTINGS)


def test_other_settings_never_share_pixels(files):
    images = files(range(3))
    build(images)
    rgb = SETTINGS.model_copy(update={"color": "rgb"})
    pack.prepare_all(images, rgb)
    receipt = pack.write(sorted(images["image_id"]), rgb)
    assert receipt["shape"] == [3, 16, 24, 3]


def test_limit_of_quarantine_is_no_setting_of_the_pixels(files, decoded):
    images = files(range(3))
    pack.prepare_all(images, SETTINGS)
    pack.prepare_all(images, SETTINGS.model_copy(update={"max_quarantined": 0.5}))
    assert len(decoded) == 3


def test_pack_of_several_blocks_is_the_pack_of_one(files, monkeypatch, tmp_path):
    images = files(range(40))
    whole, _ = build(images)
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "another clone"))
    monkeypatch.setattr(batching, "MOST_IMAGES", 7)
    monkeypatch.setattr(pack, "BLOCK_SECONDS", 0.0)
    assert build(images)[0] == whole
    assert digest_of(pack.open_pack()) == whole["digest"]
