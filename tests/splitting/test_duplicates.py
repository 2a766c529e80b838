from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from tasks.imaging.description import describe
from tasks.splitting import candidates, duplicates, resemblance


def anatomy(count, strength=12, side=96):
    """Pictures with the same coarse build and detail of their own, `(N, H, W, 1)`."""
    generator = np.random.default_rng(0)
    build = cv2.resize(np.random.default_rng(1).uniform(20, 235, (7, 7)), (side, side))
    detail = [
        cv2.resize(generator.normal(0, strength, (24, 24)), (side, side)) for _ in range(count)
    ]
    return np.stack([np.clip(build + pattern, 0, 255) for pattern in detail])[..., None].astype(
        np.uint8
    )


def described(pixels, **columns):
    table = pd.DataFrame(describe(pixels, pixels))
    count = range(len(pixels))
    return table.assign(
        **{
            "image_id": [f"i{k:04}" for k in count],
            "batch": 0,
            "group": [f"p{k:04}" for k in count],
            "label": "sane",
            "status": "ok",
            "row": count,
            "height": pixels.shape[1],
            "width": pixels.shape[2],
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
    pixels[30:] = [np.reshape(copied(picture), picture.shape) for picture in pixels[:30]]
    found = duplicates.find(described(pixels), pixels, "stretch")
    assert list(zip(found["first"], found["second"], strict=True)) == [
        (k, k + 30) for k in range(30)
    ]
    assert (found["similarity"] >= candidates.SIMILARITY).all()
    assert found["between"].all()
    assert not found["late"].any()
    assert found["same"].all()
    assert found["equal"].all() == (copied is COPIES["same"])


def test_people_who_look_alike_are_told_apart_by_their_detail():
    pixels = anatomy(200)
    table = described(pixels)
    hashes = np.array([int(digits, 16) for digits in table["phash"]], np.uint64)
    near = np.bitwise_count(hashes[:, None] ^ hashes) <= candidates.DISTANCE
    assert near.sum() > 1000  # by their hashes many are copies
    assert duplicates.find(table, pixels, "stretch").empty


def test_a_shared_frame_makes_no_copy():
    """A bright border and burned-in letters, the same in all, do not outweigh the rest."""
    pixels = anatomy(40, strength=18)
    for picture in pixels:
        cv2.rectangle(picture, (0, 0), (95, 95), 255, 4)
        cv2.putText(picture, "R", (8, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, 255, 2)
    assert duplicates.find(described(pixels), pixels, "stretch").empty


def test_color_counts_as_its_grey():
    grey = anatomy(4)
    pixels = np.repeat(grey, 3, axis=-1)
    pixels[3] = pixels[0]
    assert list(duplicates.find(described(pixels), pixels, "stretch")["second"]) == [3]


def test_pairs_are_of_different_groups_and_the_older_comes_first():
    pixels = anatomy(6)
    pixels[:] = pixels[0]
    table = described(pixels, batch=[2, 1, 0, 0, 1, 0], group=["a", "a", "b", "b", "b", "b"])
    found = duplicates.find(table.iloc[::-1], pixels, "stretch")
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
    whole = duplicates.find(table, pixels, "stretch")
    for name, value in {"ROWS": 8, "COLUMNS": 16, "AT_ONCE": 3, "WAITING": 5}.items():
        monkeypatch.setattr(candidates, name, value)
    for name, value in {"AT_ONCE": 3, "HELD": 6}.items():
        monkeypatch.setattr(duplicates, name, value)
    pd.testing.assert_frame_equal(duplicates.find(table, pixels, "stretch"), whole)
    assert len(whole) == 25


def test_a_picture_is_looked_at_once_however_many_pairs_it_is_in(monkeypatch):
    """But for its summary. Equal ones are looked at as one."""
    pixels = anatomy(2).repeat(20, axis=0)
    pixels[:20] = [cv2.add(picture, k)[..., None] for k, picture in enumerate(pixels[:20])]
    looked = {"summaries": 0, "pairs": 0}

    def counting(name):
        def detail(pictures):
            looked[name] += len(pictures)
            return resemblance.detail(pictures)

        return detail

    monkeypatch.setattr(candidates, "detail", counting("summaries"))
    monkeypatch.setattr(duplicates, "detail", counting("pairs"))
    assert len(duplicates.find(described(pixels), pixels, "stretch")) == 2 * 20 * 19 / 2
    assert looked == {"summaries": 40, "pairs": 21}


def test_of_what_shows_nothing_only_equal_pixels_are_copies():
    pixels = np.full((6, 64, 64, 1), 7, np.uint8)
    for k, value in enumerate((9, 9, 10, 11, 9, 9)):
        pixels[k, 5, 5:9] = value
    table = described(pixels, label=["sane"] * 4 + ["sick"] * 2, group=list("abccdd"))
    found = duplicates.compare(table, pixels, "stretch")
    ends = [(0, 1), (0, 4), (1, 4), (0, 5), (1, 5)]  # 4 and 5 are of one patient and label
    assert found[["first", "second"]].apply(tuple, axis=1).tolist() == ends
    assert found[["equal", "same", "between", "late"]].all().all()


def on_black(count):
    """Boxes on black surroundings."""
    pixels = np.zeros((count, 224, 224, 1), np.uint8)
    for k, picture in enumerate(pixels):
        generator = np.random.default_rng(k)
        y, x, high, wide = generator.integers(0, 100, 4)
        picture[y : y + 60 + high, x : x + 60 + wide] = generator.integers(40, 255)
        picture[y + 20 : y + 40, x + 20 : x + 40] = 255
    return pixels


def test_the_detail_on_black_surroundings_is_finite_and_finds_copies():
    """As long as the energy had its roundings below zero, these pictures had none."""
    pixels = on_black(300)
    details, lacked = resemblance.detail(pixels)
    assert np.isfinite(details).all()
    norms = np.linalg.norm(details, axis=1)
    assert norms == pytest.approx(np.ones(300), abs=1e-5)
    with np.errstate(invalid="ignore"):
        before = np.array([np.isnan(as_before(picture)).any() for picture in pixels])
    assert list(lacked) == list(before)
    chosen = np.flatnonzero(lacked)[:5].tolist() + np.flatnonzero(~lacked)[:5].tolist()
    twice = np.concatenate(
        [pixels[chosen], [cv2.add(picture, 9)[..., None] for picture in pixels[chosen]]]
    )
    found = duplicates.find(described(twice), twice, "stretch")
    ends = dict(zip(found["first"], found["second"], strict=True))
    count = len(chosen)
    assert all(ends[k] == k + count for k in range(count))
    assert list(found["late"]) == [bool(lacked[chosen[k]]) for k in found["first"]]


def as_before(picture):
    """The detail as it was settled by."""
    small = cv2.resize(picture[..., 0], (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = small - cv2.blur(small, (11, 11))
    even = fine / (np.sqrt(cv2.blur(fine * fine, (21, 21))) + 4.0)
    even -= even.mean()
    return (even / max(float(np.linalg.norm(even)), 1e-6)).ravel()


def test_the_detail_of_all_other_pictures_is_what_it_was_to_the_bit():
    pictures = anatomy(20)
    assert np.array_equal(
        resemblance.detail(pictures).vectors, [as_before(picture) for picture in pictures]
    )


def test_a_picture_without_detail_is_like_none_but_its_equal():
    pixels = np.full((3, 128, 128, 1), 100, np.uint8)
    pixels[:, ::2, ::2], pixels[2] = 140, 0  # gone at 64 pixels
    pixels[2, ::2, 1::2] = 240
    assert (resemblance.detail(pixels[:1]).vectors == 0).all()
    found = duplicates.find(described(pixels), pixels, "stretch")
    assert list(zip(found["first"], found["second"], strict=True)) == [(0, 1)]
    assert found["late"].all()


def shifted(picture):
    """By half a pixel."""
    by = np.array([[1, 0, 0.5], [0, 1, 0]], np.float32)
    return cv2.warpAffine(picture, by, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def test_like_pictures_are_told_from_the_same_one():
    """As neighbouring slices are: alike in detail, but something has changed its place."""
    pixels = np.repeat(anatomy(8, strength=30), 2, axis=0)
    for k in range(1, 16, 2):
        changed = shifted(pixels[k]) if k < 8 else coded(pixels[k], 70)
        pixels[k] = changed[..., None]
    found = duplicates.find(described(pixels), pixels, "stretch")
    assert list(found["second"]) == list(range(1, 16, 2))
    assert list(found["same"]) == [False] * 4 + [True] * 4
    assert not found["equal"].any()


def test_one_picture_of_one_patient_is_a_pair_under_two_labels_alone():
    pixels = anatomy(6)
    pixels[4] = pixels[1]
    pixels[5] = cv2.add(pixels[0], 1)[..., None]
    table = described(pixels, group="p")
    assert duplicates.find(table, pixels, "stretch").empty
    found = duplicates.find(table.assign(label=["a", "b", "a", "a", "a", "a"]), pixels, "stretch")
    assert list(zip(found["first"], found["second"], strict=True)) == [(1, 4)]
    assert found["equal"].all()
    assert not found["between"].any()


def test_no_images_at_all():
    pixels = anatomy(1)
    none = duplicates.compare(described(pixels).iloc[:0], pixels, "stretch")
    assert none.empty
    assert list(none.dtypes.astype("str")[-4:]) == ["bool"] * 4


def test_bars_make_no_pictures_alike():
    """Wide pictures of different people share nothing but what stands above and below."""
    wide = anatomy(30, side=96)[:, 36:60]
    pixels = np.zeros((30, 96, 96, 1), np.uint8)
    pixels[:, 36:60] = wide
    table = described(pixels, height=24, width=96)
    table = table.assign(**describe(pixels, list(wide)))
    assert duplicates.find(table, pixels, "pad").empty
    pixels[29] = cv2.add(pixels[0], 20)[..., None]
    table = table.assign(**describe(pixels, list(pixels[:, 36:60])))
    (found,) = duplicates.find(table, pixels, "pad").itertuples()
    assert (found.first, found.second, found.same) == (0, 29, True)
