import errno
import gc
import os

import numpy as np
import pytest

from tasks.common import paths
from tasks.networks import pass_files
from tasks.networks.pass_files import NoRoomError, PassFiles, size_of

SHAPES = {"cut": (6, 8, 8, 30), "pooled": (6, 50)}
HALF, REST = slice(0, 4), slice(4, 6)
BYTES = sum(size_of(shape) for shape in SHAPES.values())


def folder():
    return paths.state() / "prefix"


def begun(key="key", shapes=SHAPES, spare=0):
    folder().mkdir(parents=True, exist_ok=True)
    files = PassFiles(key, shapes)
    return files, files.begin(spare)


def values(shapes=SHAPES, seed=0):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype(np.float16) for shape in shapes.values()]


def store(key="key", shapes=SHAPES):
    files, _ = begun(key, shapes)
    files.write(slice(0, 6), values(shapes))
    return files.finish()


def killed(key="key", shapes=SHAPES):
    """Half of a pass, which another process will find."""
    files, _ = begun(key, shapes)
    files.write(HALF, [array[HALF] for array in values(shapes)])
    files.mark(2)


def same(found, expected):
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def disk(monkeypatch, room):
    """A disk with so many bytes for the folder, of which what lies there takes its part."""
    real = pass_files.shutil.disk_usage("/")

    def usage(folder):
        return real._replace(free=room - sum(file.stat().st_size for file in folder.iterdir()))

    monkeypatch.setattr(pass_files.shutil, "disk_usage", usage)


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_is_stored_is_found_whole():
    assert begun()[0].find() is None
    stored = store()
    assert same(stored, values())
    assert same(PassFiles("key", SHAPES).find(), values())
    assert same(PassFiles("key", {"pooled": SHAPES["pooled"]}).find(), values()[1:])
    assert PassFiles("other", SHAPES).find() is None


def test_a_killed_pass_goes_on():
    killed()
    files, done = begun()
    assert done == 2
    files.write(REST, [array[REST] for array in values()])
    assert same(files.finish(), values())
    assert {file.suffix for file in folder().iterdir()} == {".npy"}


def hole(content, begin=200):
    """Zeros in the midst of it, as a loss of power leaves them."""
    return content[:begin] + bytes(16) + content[begin + 16 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:-8],
        lambda whole: whole[:-40],
        lambda whole: whole[:-32],  # as files without a digest were
        lambda whole: whole + b"more",
        lambda whole: hole(whole, 0),
        hole,
        lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]),
        lambda whole: bytes(len(whole)),
    ],
)
def test_damaged_activations_are_not_found(damage, capsys):
    store()
    file = folder() / "key.pooled.npy"
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert PassFiles("key", SHAPES).find() is None
    assert capsys.readouterr().out.count("is damaged: its activations are computed anew") == 1
    file.write_bytes(whole)
    assert same(PassFiles("key", SHAPES).find(), values())
    assert PassFiles("key", {**SHAPES, "pooled": (6, 49)}).find() is None


@pytest.mark.parametrize(
    "damage", ["empty mark", "other mark", "half a draft", "no draft", "a hole"]
)
def test_what_a_killed_pass_left_counts_only_if_all_is_there(damage):
    """Half a draft would be filled up with zeros where it is mapped."""
    killed()
    mark, draft = folder() / "key.mark", folder() / "key.pooled.draft"
    if damage == "empty mark":
        mark.write_text("")
    elif damage == "other mark":
        mark.write_text("[2]")
    elif damage == "half a draft":
        os.truncate(draft, draft.stat().st_size - 8)
    elif damage == "a hole":
        draft.write_bytes(hole(draft.read_bytes()))
    else:
        draft.unlink()
    assert begun()[1] == 0
    assert not mark.exists()


def test_a_mark_counts_for_its_own_layers_only():
    """A pass of one layer was killed, and one of two that began anew over its draft."""
    killed(shapes={"pooled": SHAPES["pooled"]})
    assert begun()[1] == 0
    assert begun(shapes={"pooled": SHAPES["pooled"]})[1] == 0


def test_the_disk_is_taken_at_once():
    """A mapped file whose disk fills up while it is written ends the process by a signal."""
    begun(shapes={"cut": (500, 8, 8, 16)})
    (draft,) = folder().iterdir()
    assert draft.stat().st_blocks * 512 >= draft.stat().st_size


def test_a_disk_that_others_have_filled_has_no_room(monkeypatch):
    monkeypatch.setattr(pass_files.os, "posix_fallocate", full)
    with pytest.raises(NoRoomError, match=r"prefix; received: No space left.*augment\.views"):
        begun()
    assert not list(folder().iterdir())


def test_older_passes_make_room(monkeypatch):
    disk(monkeypatch, 6 * BYTES)
    for number in range(8):
        store(f"key{number}")
    gc.collect()
    assert same(PassFiles("key7", SHAPES).find(), values())
    assert PassFiles("key0", SHAPES).find() is None


def test_what_is_in_use_is_spared(monkeypatch):
    used = store("used")
    store("old")
    gc.collect()
    disk(monkeypatch, 3.5 * BYTES)
    begun("new")
    assert same(PassFiles("used", SHAPES).find(), used)
    assert PassFiles("old", SHAPES).find() is None
    with pytest.raises(NoRoomError, match="half of what is free"):
        begun("newer", spare=BYTES)
    assert PassFiles("used", SHAPES).find() is not None


def test_nothing_makes_room_in_vain(monkeypatch):
    store("old")
    gc.collect()
    disk(monkeypatch, 3 * BYTES)
    with pytest.raises(NoRoomError):
        begun("new", spare=BYTES)
    assert PassFiles("old", SHAPES).find() is not None


def test_no_more_than_so_many_files_are_kept(monkeypatch):
    monkeypatch.setattr(pass_files, "KEPT", 4)
    for number in range(4):
        store(f"key{number}")
    assert len(list(folder().iterdir())) <= 4
    assert PassFiles("key3", SHAPES).find() is not None
