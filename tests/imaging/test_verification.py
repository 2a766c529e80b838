"""What happened to a pack on the disk, and what is built anew."""

import errno
import os

import numpy as np
import pandas as pd
import pytest
from worlds.pack import SETTINGS, build, digest_of, home

from tasks.imaging import blocks, pack, verification

IMAGE = 16 * 24  # bytes


def hole(content):
    """A tenth in zeros, as a loss of power leaves it: in images 3 and 4 of 10."""
    begin = len(content) - 10 * IMAGE + 3 * IMAGE + IMAGE // 2
    return content[:begin] + bytes(IMAGE) + content[begin + IMAGE :]


def flipped(place):
    def flip(content):
        return content[:place] + bytes([content[place] ^ 1]) + content[place:][1:]

    return flip


def damage(name, change):
    """Change a file of the only block; its content before."""
    (folder,) = home().iterdir()
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(change(whole))
    return whole


@pytest.mark.parametrize(
    ("name", "change", "lost"),
    [
        (blocks.PIXELS, hole, 2),
        (blocks.PIXELS, flipped(-1), 1),
        (blocks.PIXELS, lambda content: content[:-100], 1),
        (blocks.PIXELS, lambda content: b"", 10),
        (blocks.PIXELS, flipped(0), 10),
        (blocks.PIXELS, lambda content: bytes(len(content)), 10),
        (blocks.TABLE, lambda content: content[:-9], 10),
        (blocks.TABLE, lambda content: bytes(len(content)), 10),
        (blocks.TABLE, flipped(100), 10),
        (blocks.RECEIPT, lambda content: b"", 0),
        (blocks.RECEIPT, lambda content: b"[]", 0),
        (blocks.RECEIPT, lambda content: b'{"digest": 1, "shape": {}}', 0),
        (blocks.RECEIPT, lambda content: content.replace(b"10", b"11"), 0),
    ],
)
def test_only_what_is_damaged_is_prepared_anew(files, decoded, capsys, name, change, lost):
    receipt, _ = build(files(range(10)))
    expected = np.array(pack.open_pack())
    whole = damage(name, change)
    decoded.clear()
    capsys.readouterr()
    assert np.array_equal(pack.open_pack(), expected)
    assert len(decoded) == lost
    assert f"was damaged: {10 - lost} of its images are kept" in capsys.readouterr().out
    (folder,) = home().iterdir()
    assert folder.name == receipt["key"]
    if name == blocks.PIXELS:
        assert (folder / name).read_bytes() == whole


def test_a_file_that_is_gone(files, decoded):
    receipt, _ = build(files(range(4)))
    (home() / receipt["key"] / blocks.PIXELS).unlink()
    decoded.clear()
    assert digest_of(pack.open_pack()) == receipt["digest"]
    assert len(decoded) == 4


def test_damage_is_never_copied_into_another_pack(files, decoded):
    build(files(range(10)))
    damage(blocks.PIXELS, hole)
    decoded.clear()
    receipt, _ = build(files(range(11)))
    assert len(decoded) == 3
    assert receipt["digest"] == digest_of(pack.open_pack())


@pytest.mark.parametrize(
    ("name", "change", "lost"), [(blocks.PIXELS, hole, 2), (blocks.RECEIPT, lambda content: b"", 0)]
)
def test_damage_before_there_is_a_pack(files, decoded, name, change, lost):
    images = files(range(10))
    pack.prepare_all(images, SETTINGS)
    damage(name, change)
    decoded.clear()
    receipt, _ = build(images)
    assert len(decoded) == lost
    assert receipt["digest"] == digest_of(pack.open_pack())


def test_a_foreign_table(files, decoded):
    receipt, _ = build(files(range(4)))
    pd.DataFrame({"a": [1]}).to_parquet(home() / receipt["key"] / blocks.TABLE)
    decoded.clear()
    assert digest_of(pack.open_pack()) == receipt["digest"]
    assert len(decoded) == 4


def test_a_sector_that_cannot_be_read_counts_as_damage(files, decoded, monkeypatch):
    receipt, _ = build(files(range(10)))
    damage(blocks.PIXELS, lambda content: content)  # looked at anew
    read, refused = verification._content, []

    def once(file, size):
        if not refused:
            refused.append(size // IMAGE)
            with monkeypatch.context() as patch:
                patch.setattr(verification, "_content", read)
                return read(Refusing(), size)
        return read(file, size)

    class Refusing:
        def read(self, size):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(verification, "_content", once)
    decoded.clear()
    assert digest_of(pack.open_pack()) == receipt["digest"]
    assert len(decoded) == refused[0] > 0


def test_pixels_are_looked_at_once_per_process(files, monkeypatch):
    build(files(range(10)))
    pack.open_pack()
    monkeypatch.setattr(verification, "_read_through", None)
    pack.open_pack()
    pack.prepare_all(files(range(10)), SETTINGS)
    damage(blocks.PIXELS, hole)
    with pytest.raises(TypeError):
        pack.open_pack()
