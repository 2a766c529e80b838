from __future__ import annotations

import numpy as np
import pytest

from tasks.pictures import gallery

GREY = np.full((64, 48, 1), 100, np.uint8)


def test_where_there_is_no_heat_the_image_stays():
    heatmap = np.zeros((8, 6), np.float32)
    heatmap[0, 0] = 1
    picture = gallery.overlay(GREY, heatmap)
    assert picture.shape == (64, 48, 3)
    assert (picture[32:, 24:] == 100).all()
    assert np.ptp(picture[2, 2].astype(int)) > 50


@pytest.mark.parametrize("channels", [1, 3])
def test_no_heat_at_all_gives_the_image_itself(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, channels)).astype(np.uint8)
    picture = gallery.overlay(pixels, np.zeros((4, 4), np.float32))
    assert (picture == np.broadcast_to(pixels, (32, 32, 3))).all()


def test_heat_is_scaled_to_its_own_maximum():
    heatmap = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    assert (gallery.overlay(GREY, heatmap) == gallery.overlay(GREY, 50 * heatmap)).all()


def test_feature_maps_show_the_channels_that_vary(tmp_path):
    maps = np.zeros((8, 8, 40), np.float32)
    maps[2, 3, 7] = 1
    gallery.feature_maps(tmp_path / "one.png", GREY, maps, "early", shown=1)
    gallery.feature_maps(tmp_path / "same.png", GREY, maps[..., [0, 7]], "early", shown=1)
    gallery.feature_maps(tmp_path / "flat.png", GREY, maps[..., :2], "early", shown=1)
    one, same, flat = ((tmp_path / f"{n}.png").read_bytes() for n in ("one", "same", "flat"))
    assert one == same
    assert one != flat
