"""Stored or on the fly: the same views in the same order give the same weights."""

import numpy as np
import pytest
from worlds.feeds import COUNT, CUT, VAL, make_data, start, train

from tasks.common import paths
from tasks.common.errors import TrainingError
from tasks.imaging.images import Images
from tasks.networks import pass_files, passes
from tasks.networks.feeds import OnTheFly, Stored
from tasks.networks.layers import cut
from tasks.networks.pass_files import NoRoomError, PassFiles


@pytest.mark.parametrize("layer", ["dropout", CUT])
def test_on_the_fly_gives_the_weights_of_stored_views(layer):
    """`views: 0` is one view, drawn anew every epoch."""
    stored, first, expected = train(start(), layer, make_data(count=1, refresh=1))
    on_the_fly, second, found = train(start(), layer, make_data(count=0))
    assert isinstance(stored, Stored)
    assert isinstance(on_the_fly, OnTheFly)
    assert first[-1]["loss"] != pytest.approx(first[0]["loss"], abs=1e-3), "nothing was learnt"
    for one, other in zip(first, second, strict=True):
        assert one == pytest.approx(other, abs=2e-3)
    for a, b in zip(expected, found, strict=True):
        assert np.abs(a - b).max() < 1e-5 * max(1, np.abs(a).max())


def test_without_room_views_go_on_the_fly_in_the_same_order(monkeypatch, capsys):
    _, _, expected = train(start(), "dropout", make_data(count=2), epochs=2)
    real, refused = PassFiles.begin, []

    def no_room(files, spare):
        if files._shapes[0][0] == 2 * COUNT:
            refused.append(files)
            raise NoRoomError("required: more.")
        return real(files, spare)

    monkeypatch.setattr(PassFiles, "begin", no_room)
    for file in (paths.state() / "prefix").iterdir():
        file.unlink()
    feed, _, found = train(start(), "dropout", make_data(count=2), epochs=2)
    assert isinstance(feed, OnTheFly)
    assert len(refused) == 1
    assert "computed anew in each step" in capsys.readouterr().out
    for a, b in zip(expected, found, strict=True):
        assert np.abs(a - b).max() < 1e-5 * max(1, np.abs(a).max())


def test_what_is_wanted_is_stored_where_more_has_no_room(monkeypatch):
    model, given = start(), make_data(count=1)
    real = PassFiles.begin

    def room_for_one(files, spare):
        if len(files._shapes) > 1:
            raise NoRoomError("required: more.")
        return real(files, spare)

    monkeypatch.setattr(PassFiles, "begin", room_for_one)
    feed, val = passes.feed(model, [CUT, "dropout"], "dropout", given)
    assert feed.of_generation(0).inputs.shape == (COUNT, 8)
    assert val.inputs.shape == (VAL, 8)


def test_later_generations_store_what_is_wanted_only():
    model, given = start(), make_data(count=1, refresh=1)
    feed, _ = passes.feed(model, [CUT, "dropout"], "dropout", given)
    first, second = feed.of_generation(0).inputs, feed.of_generation(1).inputs
    assert first.shape == second.shape
    assert not np.allclose(first, second)
    assert len(list((paths.state() / "prefix").glob("*.dropout.npy"))) == 3  # and val
    assert len(list((paths.state() / "prefix").glob(f"*.{CUT}.npy"))) == 2


@pytest.mark.parametrize(("room", "kind"), [(4, OnTheFly), (8, Stored)])
def test_views_drawn_anew_fit_on_the_disk_or_go_on_the_fly(monkeypatch, room, kind):
    """Training must not end in the middle, when a later generation finds the disk full."""
    size = 2 * COUNT * 8  # of what is stored of a generation before `dropout`
    real = pass_files.shutil.disk_usage("/")

    def usage(folder):
        taken = sum(file.stat().st_size for file in folder.glob("*.npy"))
        return real._replace(free=room * size - taken)

    monkeypatch.setattr(pass_files.shutil, "disk_usage", usage)
    feed, history, _ = train(start(), "dropout", make_data(count=1, refresh=1), epochs=9)
    assert isinstance(feed, kind)
    assert len(history) == 9


def test_val_without_room_is_an_error(monkeypatch):
    usage = pass_files.shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(pass_files.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TrainingError, match="half of what is free"):
        passes.feed(start(), [CUT], CUT, make_data(count=0))


def test_images_are_read_from_the_pack_when_asked_for():
    pack = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1)
    images = Images(pack, np.array([4, 0, 2]))
    assert images.shape == (3, 2, 2, 1)
    assert np.array_equal(images[1:], pack[[0, 2]])
    assert np.array_equal(images[np.array([2, 0])], pack[[2, 4]])


def test_keys_tell_views_apart():
    model = start()
    frozen, _ = cut(model, "dropout")
    found = set()
    for given in (make_data(0), make_data(0, refresh=2), make_data(2), make_data(2, refresh=2)):
        feed = OnTheFly(frozen, given.train.images, given.train.targets, given.views)
        found.add(str(feed.key()))
    assert len(found) == 4
