import imagehash
import numpy as np
import pytest
from blake3 import blake3
from PIL import Image

from tasks.imaging.description import describe, perceptual_hashes
from tasks.imaging.resizing import centred, resize, without_bars


def hash_of(picture):
    (found,) = perceptual_hashes([picture])
    return found


def distance(one, other):
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_an_image_is_described_by_its_pixels(photo):
    grey = photo[..., :1]
    assert {name: value for name, (value,) in describe(grey[None], [grey]).items()} == {
        "mean": pytest.approx(grey.mean()),
        "std": pytest.approx(grey.std()),
        "min": grey.min(),
        "max": grey.max(),
        "digest": blake3(grey.tobytes()).hexdigest(),
        "phash": hash_of(grey),
    }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [20, 64, 97])
def test_what_an_image_is_described_as_does_not_depend_on_its_batch(side, channels):
    shape = (6, side, side, channels)
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    turned = pixels[:, ::-1]  # not contiguous
    together = describe(turned, turned)
    alone = [describe(image[None], [image]) for image in np.ascontiguousarray(turned)]
    assert len(set(together["phash"])) == 6
    for name, values in together.items():
        assert values == [value for one in alone for value in one[name]]


def test_bars_around_a_picture_do_not_count(photo):
    grey = np.ascontiguousarray(photo[:20, :, :1])
    padded = centred(grey[..., 0], (30, 30))[..., None]
    found = describe(padded[None], [without_bars(padded, (20, 30), "pad")])
    bare = describe(grey[None], [grey])
    assert found["digest"] != bare["digest"]
    assert found | {"digest": bare["digest"]} == bare


def test_hash_survives_brightness_and_size_but_not_another_picture(photo):
    first = hash_of(photo)
    brighter = np.clip(photo.astype(int) + 5, 0, 255).astype(np.uint8)
    other = np.ascontiguousarray(photo[::-1, ::-1])
    assert len(first) == 16
    assert distance(first, hash_of(brighter)) <= 6
    assert distance(first, hash_of(resize(photo, 90, 70))) <= 6
    assert distance(first, hash_of(other)) >= 16


def test_hash_agrees_with_the_imagehash_library(photo):
    assert distance(hash_of(photo), str(imagehash.phash(Image.fromarray(photo)))) <= 10
