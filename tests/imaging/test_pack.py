from __future__ import annotations

import errno
import hashlib
import os
import shutil
from types import SimpleNamespace

import cv2
import grimp
import numpy as np
import pandas as pd
import pytest
from blake3 import blake3

from tasks import documents, manifest, paths
from tasks.errors import DataError
from tasks.imaging import batches, blocks, pack
from tasks.imaging.prepare import prepare
from tasks.params import Preprocess

SETTINGS = Preprocess(size=[16, 24], color="grey", window=None, max_quarantined=1.0)


@pytest.fixture
def files(workspace):
    """Write pictures under data/raw and list them; `broken` ones are no pictures."""

    def make(numbers, broken=()):
        rows = []
        paths.RAW.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            image_id = hashlib.sha256(str(number).encode()).hexdigest()
            pixels = np.random.default_rng(number).integers(0, 255, (30, 40), np.uint8)
            content = b"broken" if number in broken else cv2.imencode(".png", pixels)[1].tobytes()
            (paths.RAW / f"{image_id}.png").write_bytes(content)
            rows.append({"image_id": image_id, "path": f"{image_id}.png"})
        return pd.DataFrame(rows)

    return make


@pytest.fixture
def decoded(monkeypatch):
    """Every file that is really decoded, by its bytes."""
    seen = []

    def counting(content, settings, frame=None):
        seen.append(content)
        return prepare(content, settings, frame)

    monkeypatch.setattr(batches, "prepare", counting)
    return seen


def build(images):
    """What preprocess does: a pack of the readable images, its receipt and its table."""
    facts = pack.prepare_all(images, SETTINGS)
    usable = sorted(facts.index[facts["reason"].isna()])
    receipt = pack.write(usable, SETTINGS)
    table = images.set_index("image_id").reindex(usable).reset_index()
    table = table.assign(status="ok", row=range(len(table)), label="a", batch=0)
    documents.write_json(paths.PACK, receipt)
    manifest.write(table, paths.IMAGES, manifest.IMAGES)
    return receipt, table


def digest_of(pixels):
    """What a receipt says of these pixels, from the pixels themselves."""
    each = [blake3(image.tobytes()).hexdigest() for image in pixels]
    return hashlib.sha256((str(list(pixels.shape)) + "".join(each)).encode()).hexdigest()


def home():
    (folder,) = (paths.state() / "packs").iterdir()
    return folder


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


def test_file_mended_in_place_is_read(files, decoded, monkeypatch, tmp_path):
    build(files(range(4), broken={2}))
    mended, _ = build(files(range(4)))
    assert mended["shape"][0] == 4
    assert len(decoded) == 5
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "another clone"))
    files(range(4), broken={1})
    with pytest.raises(DataError, match="1 of 4 images can be read where"):
        pack.open_pack()
    files(range(4))
    assert digest_of(pack.open_pack()) == mended["digest"]


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
    monkeypatch.setattr(batches, "MOST_IMAGES", 3)
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


def test_damaged_pack_is_built_anew(files):
    receipt, _ = build(files(range(4)))
    pixels = home() / receipt["key"] / blocks.PIXELS
    whole = pixels.read_bytes()
    pixels.write_bytes(whole[:-100])
    assert digest_of(pack.open_pack()) == receipt["digest"]
    assert pixels.read_bytes() == whole


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


def test_all_code_that_makes_pixels_is_in_the_key():
    graph = grimp.build_graph("tasks", cache_dir=None)
    used = graph.find_upstream_modules("tasks.imaging.prepare") | {"tasks.imaging.prepare"}
    names = {name.rpartition(".")[2] for name in used if name.startswith("tasks.imaging.")}
    assert set(batches.PIXEL_CODE) == names | {"describe"}


def test_full_disk_is_named_and_a_rerun_finishes(files, decoded, monkeypatch):
    images = files(range(10))
    monkeypatch.setattr(batches, "MOST_IMAGES", 4)
    monkeypatch.setattr(pack, "BLOCK_SECONDS", 0.0)
    finish, finished = blocks.Draft.finish, []

    def full(draft, folder, table):
        finished.append(folder)
        if len(finished) == 2:
            draft._file.close()
            draft._file = Full()
        return finish(draft, folder, table)

    class Full:
        def seek(self, place):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(blocks.Draft, "finish", full)
        with pytest.raises(DataError, match=r"packs/.*No space left on device.*MEDLOOP_STATE"):
            pack.prepare_all(images, SETTINGS)
    assert not list(home().glob(f"{blocks.DRAFT}*"))
    decoded.clear()
    receipt, _ = build(images)
    assert len(decoded) == 6
    assert receipt["digest"] == digest_of(pack.open_pack())


def test_too_little_space_is_told_before_any_work(files, decoded, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10 * 16 * 24))
    build(files(range(5)))
    decoded.clear()
    with pytest.raises(DataError, match=r"required: .* GB .*received: .* GB free.*MEDLOOP_STATE"):
        pack.prepare_all(files(range(11)), SETTINGS)
    assert not decoded
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))
    build(files(range(5)))  # that is there already
    with pytest.raises(DataError, match="MEDLOOP_STATE"):
        build(files(range(4)))


def test_state_folder_that_cannot_be_written(files, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"file/packs/.*Not a directory.*mend the rights"):
        pack.prepare_all(files(range(2)), SETTINGS)


def test_file_that_vanishes_on_the_way_is_named(files, monkeypatch):
    images = files(range(4))
    lost = paths.RAW / images["path"][2]

    def vanishing(names):
        sizes = measured(names)
        lost.unlink()
        return sizes

    measured = pack._file_sizes
    monkeypatch.setattr(pack, "_file_sizes", vanishing)
    with pytest.raises(DataError, match=f"{lost} cannot be read .*dvc checkout"):
        pack.prepare_all(images, SETTINGS)
    monkeypatch.setattr(pack, "_file_sizes", measured)
    assert build(files(range(4)))[0]["shape"][0] == 4


def test_folder_that_cannot_be_read_is_named(files, monkeypatch):
    images = files(range(3))

    def refused(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "stat", refused)
    with pytest.raises(DataError, match=r"data/raw/.* cannot be read \(Permission denied\)"):
        pack._file_sizes(images["path"].tolist())


def test_frames_beyond_a_batch_read_their_file_again_and_no_batch_is_large(monkeypatch):
    monkeypatch.setattr(batches, "MOST_BYTES", 3000)
    frames = [(f"b-{number}", "b.dcm", 2000) for number in range(3)]
    images = [("a", "a.png", 100), *frames, ("c", "c.png", 5000), ("d", "d.png", 10)]
    cut = list(batches.cut(images, SETTINGS))  # a prepared image has 384 bytes
    assert [[image_id for image_id, _ in batch] for batch in cut] == [
        ["a", "b-0"],
        ["b-1", "b-2"],
        ["c"],
        ["d"],
    ]


def test_pack_of_several_blocks_is_the_pack_of_one(files, monkeypatch, tmp_path):
    images = files(range(40))
    whole, _ = build(images)
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "another clone"))
    monkeypatch.setattr(batches, "MOST_IMAGES", 7)
    monkeypatch.setattr(pack, "BLOCK_SECONDS", 0.0)
    assert build(images)[0] == whole
    assert digest_of(pack.open_pack()) == whole["digest"]


@pytest.mark.parametrize("refusal", [errno.EXDEV, 0, None])
def test_pixels_are_copied_where_the_file_system_cannot_do_it_itself(files, monkeypatch, refusal):
    def refused(*_):
        if refusal:
            raise OSError(refusal, os.strerror(refusal))
        return 0

    build(files(range(5)))
    if refusal is not None:
        monkeypatch.setattr(os, "copy_file_range", refused, raising=False)
    else:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    monkeypatch.setattr(blocks, "CHUNK", 100)
    receipt, _ = build(files(range(7)))
    assert receipt["digest"] == digest_of(pack.open_pack())


def test_disk_that_fills_up_while_copying_is_named(files, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    first, _ = build(files(range(5)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "copy_file_range", full, raising=False)
        with pytest.raises(DataError, match=r"No space left on device.*MEDLOOP_STATE"):
            build(files(range(7)))
    assert digest_of(pack.open_pack()) == first["digest"]


def test_block_cut_short_while_it_is_copied_is_an_error(files, monkeypatch):
    build(files(range(5)))
    opened = blocks.runs

    def cut(known, image_ids):
        os.truncate(known.folders[0] / blocks.PIXELS, 300)
        return opened(known, image_ids)

    monkeypatch.setattr(blocks, "runs", cut)
    with pytest.raises(DataError, match="shorter than its receipt says"):
        build(files(range(7)))
