from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from tasks.imaging.description import describe
from tasks.splitting import duplicates


def anatomy(count, strength=12, side=96):
    """Pictures with the same coarse build and detail of their own, `(N, H, W, 1)`."""
    generator = np.random.default_rng(0)
    build = cv2.resize(np.random.default_rng(1).uniform(20, 235, (7, 7)), (side, side))
    detail = [
        cv2.resize(generator.normal(0, strength, (24, 24)), (side, side)) for _ in range(count)
    ]
    return np.stack([np.clip(build + of, 0, 255) for of in detail])[..., None].astype(np.uint8)


def described(pixels, **columns):
    table = pd.DataFrame(describe(pixels))
    count = range(len(pixels))
    return table.assign(
        **{
            "image_id": [f"i{k:04}" for k in count],
            "batch": 0,
            "group": [f"p{k:04}" for k in count],
            "status": "ok",
            "row": count,
            **columns,
        }
    )


def coded(picture, quality):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


def scaled(picture, factor):
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, picture.shape[1::-1])


def noisy(picture):
    noise = np.random.default_rng(2).normal(0, 3, picture.shape[:2])
    return np.clip(picture[..., 0] + noise, 0, 255).astype(np.uint8)


COPIES = {
    "same": lambda picture: picture,
    "jpeg": lambda picture: coded(picture, 40),
    "half": lambda picture: scaled(picture, 0.5),
    "brighter": lambda picture: cv2.add(picture, 25),
    "flatter": lambda picture: (picture * 0.7 + 20).astype(np.uint8),
    "noisy": noisy,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_are_found_among_pictures_that_hash_alike(copied):
    pixels = anatomy(60)
    pixels[30:] = [np.reshape(copied(of), of.shape) for of in pixels[:30]]
    found = duplicates.find(described(pixels), pixels)
    assert list(zip(found["first"], found["second"], strict=True)) == [
        (k, k + 30) for k in range(30)
    ]
    assert (found["similarity"] >= duplicates.SIMILARITY).all()


def test_people_who_look_alike_are_told_apart_by_their_detail():
    pixels = anatomy(200)
    table = described(pixels)
    hashes = np.array([int(of, 16) for of in table["phash"]], np.uint64)
    near = np.bitwise_count(hashes[:, None] ^ hashes) <= duplicates.DISTANCE
    assert near.sum() > 1000  # by their hashes many are copies
    assert duplicates.find(table, pixels).empty


def test_a_shared_frame_makes_no_copy():
    """A bright border and burned-in letters, the same in all, do not outweigh the rest."""
    pixels = anatomy(40, strength=18)
    for picture in pixels:
        cv2.rectangle(picture, (0, 0), (95, 95), 255, 4)
        cv2.putText(picture, "R", (8, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, 255, 2)
    assert duplicates.find(described(pixels), pixels).empty


def test_color_counts_as_its_grey():
    grey = anatomy(4)
    pixels = np.repeat(grey, 3, axis=-1)
    pixels[3] = pixels[0]
    assert list(duplicates.find(described(pixels), pixels)["second"]) == [3]


def test_pairs_are_of_different_groups_and_the_older_comes_first():
    pixels = anatomy(6)
    pixels[:] = pixels[0]
    table = described(pixels, batch=[2, 1, 0, 0, 1, 0], group=["a", "a", "b", "b", "b", "b"])
    found = duplicates.find(table.iloc[::-1], pixels)
    ends = {frozenset(end) for end in found[["first", "second"]].to_numpy().tolist()}
    assert ends == {frozenset((k, j)) for k in (0, 1) for j in (2, 3, 4, 5)}
    assert len(found) == 8
    older = table["batch"][found["first"]].to_numpy() <= table["batch"][found["second"]].to_numpy()
    assert older.all()
    arrivals = table["batch"][found["second"]]
    assert list(arrivals) == sorted(arrivals)


def test_blocks_hide_no_pair(monkeypatch):
    """Whatever is compared at a time, the same pairs are found."""
    pixels = anatomy(50)
    pixels[25:] = pixels[:25]
    table = described(pixels)
    whole = duplicates.find(table, pixels)
    for name, value in {"ROWS": 8, "COLUMNS": 16, "AT_ONCE": 3}.items():
        monkeypatch.setattr(duplicates, name, value)
    pd.testing.assert_frame_equal(duplicates.find(table, pixels), whole)
    assert len(whole) == 25


def test_what_shows_nothing_is_compared_with_nothing():
    pixels = np.full((5, 64, 64, 1), 7, np.uint8)
    table = described(pixels)
    found = duplicates.compare(table, pixels)
    assert found.pairs.empty
    assert found.same.isna().all()


def test_same_pixels_are_told_within_a_patient_as_well():
    pixels = anatomy(6)
    pixels[4] = pixels[1]
    pixels[5] = cv2.add(pixels[0], 1)[..., None]  # alike, and not the same
    same = duplicates.same_pixels(described(pixels, group="p"), pixels)
    assert list(same.index[same.notna()]) == [1, 4]
    assert same[1] == same[4]


def test_no_images_at_all():
    pixels = anatomy(1)
    none = described(pixels).iloc[:0]
    assert duplicates.compare(none, pixels).pairs.empty
