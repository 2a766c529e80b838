"""What a disk refuses on the way to a pack."""

import errno
import os
import shutil
from types import SimpleNamespace

import pytest
from worlds.pack import SETTINGS, build, digest_of, home

from tasks.common import paths
from tasks.common.errors import DataError
from tasks.imaging import batching, blocks, pack


def test_full_disk_is_named_and_a_rerun_finishes(files, decoded, monkeypatch):
    images = files(range(10))
    monkeypatch.setattr(batching, "MOST_IMAGES", 4)
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
    with pytest.raises(DataError, match=r"file/packs/.*Not a directory.*fix the rights"):
        pack.prepare_all(files(range(2)), SETTINGS)


def test_file_that_vanishes_on_the_way_is_named(files, monkeypatch):
    images = files(range(4))
    lost = paths.RAW / images["path"][2]

    def vanishing(names, place):
        sizes = measured(names, place)
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
        pack._file_sizes([f"{paths.RAW}/{path}" for path in images["path"]], paths.OWN)


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
