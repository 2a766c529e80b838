import numpy as np
import pytest

from tasks.networks import augmentation
from tasks.networks.augmentation import PRESETS, Preset, draw, plain, render, view_seeds

SIZE = (24, 32)
IDS = [f"{k:064x}" for k in range(40)]


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (40, *SIZE, 3)).astype(np.uint8)


def test_the_plain_view_is_the_image_itself(images):
    assert np.array_equal(render(images, plain(40)), images)


@pytest.mark.parametrize("preset", PRESETS.values())
def test_a_view_depends_on_seed_and_image_alone(images, preset):
    whole = render(images, draw(preset, 5, IDS, SIZE))
    some = [7, 3, 31]
    apart = render(images[some], draw(preset, 5, [IDS[i] for i in some], SIZE))
    assert np.array_equal(apart, whole[some])


def test_views_differ_from_each_other_and_from_the_image(images):
    first, second = (render(images, draw(PRESETS["radiograph"], s, IDS, SIZE)) for s in (5, 6))
    for one, other in ((first, second), (first, images)):
        assert (one != other).any(axis=(1, 2, 3)).all()


def test_none_changes_nothing(images):
    assert np.array_equal(render(images, draw(PRESETS["none"], 5, IDS, SIZE)), images)


@pytest.mark.parametrize(
    ("preset", "axis"), [(Preset(flip_left_right=True), 2), (Preset(flip_up_down=True), 1)]
)
def test_flips_mirror_about_half_of_the_images_exactly(images, preset, axis):
    views = render(images, draw(preset, 5, IDS, SIZE))
    kept = (views == images).all(axis=(1, 2, 3))
    mirrored = (views == np.flip(images, axis)).all(axis=(1, 2, 3))
    assert (kept ^ mirrored).all()
    assert 10 < mirrored.sum() < 30


def test_a_shift_repeats_the_nearest_edge():
    image = np.arange(32, dtype=np.uint8)[None, None, :, None].repeat(24, axis=1) * 8
    views = render(image.repeat(40, axis=0), draw(Preset(shift=0.25), 5, IDS, SIZE))
    steps = np.diff(views[:, 12, :, 0].astype(int), axis=1)
    assert (steps >= 0).all()
    moved = views[:, 12, 16, 0].astype(int) - 128
    assert 30 < np.abs(moved).max() <= 8 * 0.25 * 32
    ends = np.minimum(views[:, 12, 0, 0], 255 - 7 - views[:, 12, -1, 0])
    assert (ends <= 1).all()


def test_a_rotation_turns_about_the_centre_within_its_limit():
    line = np.zeros((1, 33, 33, 1), np.uint8)
    line[:, 16] = 255
    views = render(line.repeat(40, axis=0), draw(Preset(rotation=20), 5, IDS, (33, 33)))
    assert (views[:, 16, 16, 0] > 250).all()
    rise = views[:, :, 28, 0].argmax(axis=1) - 16
    assert np.abs(rise).max() <= np.ceil(12 * np.tan(np.radians(20)))
    assert rise.min() < -2 < 2 < rise.max()


def test_zoom_is_centred_and_keeps_the_shape():
    disc = np.hypot(*np.mgrid[-16:17, -16:17]) <= 8
    image = (255 * disc).astype(np.uint8)[None, ..., None]
    views = render(image.repeat(40, axis=0), draw(Preset(zoom=0.25), 5, IDS, (33, 33))) > 127
    across, down = views[:, 16, :, 0].sum(axis=1), views[:, :, 16, 0].sum(axis=1)
    assert np.abs(across - down).max() <= 1
    assert across.min() <= 15
    assert across.max() >= 19


def test_contrast_keeps_the_mean_and_scales_the_deviation():
    image = np.full((1, *SIZE, 1), 100, np.uint8)
    image[:, :12] = 140
    views = render(image.repeat(40, axis=0), draw(Preset(contrast=0.5), 5, IDS, SIZE))
    assert np.abs(views.mean(axis=(1, 2, 3)) - 120).max() < 1
    spread = views.std(axis=(1, 2, 3)) / 20
    assert 0.45 < spread.min() < 0.8
    assert 1.2 < spread.max() < 1.55


def test_more_views_keep_the_first_ones():
    assert view_seeds(13, 5)[:2] == view_seeds(13, 2)
    assert len(set(view_seeds(13, 5))) == 5
    assert view_seeds(13, 1) != view_seeds(14, 1)


def test_presets_are_those_of_the_parameters(defaults):
    assert defaults.augment.preset in PRESETS
    options = type(defaults.augment).model_fields["preset"].annotation
    assert set(PRESETS) == set(options.__args__)
    assert augmentation.PRESETS["tutorial"] == Preset(
        rotation=20, shift=0.2, flip_left_right=True, flip_up_down=True
    )
