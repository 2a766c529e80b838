"""Every layout of TIFF is decoded as tifffile reads it, or refused with the reason."""

from __future__ import annotations

import io
import itertools
import struct

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from worlds.tiffs import build, photometric

from tasks.common.errors import DecodeError
from tasks.imaging import tiff_pages
from tasks.imaging.decoding import decode, decode_deep
from tasks.imaging.deidentification import deidentify
from tasks.imaging.levels import spread
from tasks.privacy.pseudonyms import Pseudonyms

HEIGHT, WIDTH = 37, 43
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
GREY = ((ROWS * 5 + COLUMNS * COLUMNS) % 251).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
INKS = np.dstack([RGB, GREY // 3])
TYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
COMPRESSIONS = [None, "lzw", "zlib", "packbits", "zstd"]
FILES = list(itertools.product("<>", (False, True)))  # byte order, BigTIFF
# Samples of a pixel, and how they are written.
KINDS = {
    "black is zero": (1, {"photometric": "minisblack"}),
    "white is zero": (1, {"photometric": "miniswhite"}),
    "grey and more": (3, {"photometric": "minisblack", "planarconfig": "contig"}),
    "white, planar": (2, {"photometric": "miniswhite", "planarconfig": "separate"}),
    "rgb": (3, {"photometric": "rgb"}),
    "rgb, planar": (3, {"photometric": "rgb", "planarconfig": "separate"}),
    "alpha": (4, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "alpha in it": (4, {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
    "alpha, planar": (
        4,
        {"photometric": "rgb", "planarconfig": "separate", "extrasamples": ["unassalpha"]},
    ),
}


def numbers(kind: str, samples: int) -> np.ndarray:
    """`(H, W)` or `(H, W, samples)` that use most of a type's range."""
    dtype = np.dtype(kind)
    picture = np.dstack([np.roll(GREY, 3 * n, n % 2) for n in range(samples)]).squeeze()
    if dtype.kind == "f":
        return (picture / 7 - 11).astype(dtype)
    step = np.iinfo(dtype).max // (250 if dtype.kind == "u" else 127)
    lowest = 0 if dtype.kind == "u" else 123 * step
    return (picture.astype(object) * step - lowest).astype(dtype)


def written(pixels: np.ndarray, order: str = "<", big: bool = False, **options) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, byteorder=order, bigtiff=big) as writer:
        writer.write(pixels, metadata=None, **photometric(pixels) | options)
    return buffer.getvalue()


def as_read(content: bytes) -> np.ndarray:
    """What tifffile reads, with the samples last, as its numbers are meant."""
    page = tifffile.TiffFile(io.BytesIO(content)).pages[0]
    stored = page.asarray()
    if page.planarconfig == 2 and page.samplesperpixel > 1:
        stored = np.moveaxis(stored, 0, -1)
    white = page.photometric == 0
    if page.photometric not in (2, 6):  # tifffile makes YCbCr within JPEG to RGB
        grey = stored[..., 0] if stored.ndim == 3 else stored
        return negative(grey, page.bitspersample) if white else grey
    colors, alpha = stored[..., :3], stored[..., 3:]
    if stored.dtype == np.uint8 and page.extrasamples[:1] == (2,):
        return np.round(colors / 255.0 * alpha).astype(np.uint8)
    return colors


def negative(grey: np.ndarray, bits: int) -> np.ndarray:
    if grey.dtype.kind == "f":
        return -grey
    most = 2**bits - 1 if grey.dtype.kind in "ub" else -1
    return (most - grey.astype(object)).astype(grey.dtype)


def decoded(content: bytes) -> np.ndarray:
    """In the depth of the file; the same once more, after a picture that is bright all over."""
    first = decode_deep(content)
    for size in ((HEIGHT, WIDTH, 3), (64, 64, 3)):
        bright = cv2.imencode(".png", np.full(size, 0xABCD, np.uint16))[1].tobytes()
        assert (decode_deep(bright) == 0xABCD).all()
    np.testing.assert_array_equal(decode_deep(content), first, strict=True)
    return first


def check(content: bytes, expected: np.ndarray) -> None:
    if expected.dtype == np.float16:
        expected = expected.astype(np.float32)
    pixels = decoded(content)
    np.testing.assert_array_equal(pixels, expected, strict=True)
    shown = decode(content)
    assert shown.dtype == np.uint8
    assert np.array_equal(shown, pixels if pixels.dtype == np.uint8 else spread(pixels))
    clean = deidentify(content, Pseudonyms(b"a key"))
    assert np.array_equal(decode(clean.content), shown)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", TYPES)
def test_layout(dtype, kind):
    samples, options = KINDS[kind]
    pixels = numbers(dtype, samples)
    if options.get("planarconfig") == "separate":
        pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    layouts = itertools.product(({"rowsperstrip": 5}, {"tile": (16, 32)}), COMPRESSIONS, (0, 1))
    for (layout, compression, predictor), file in zip(
        layouts, itertools.cycle(FILES), strict=False
    ):
        more = {**options, **layout, "compression": compression}
        if predictor and compression in ("lzw", "zlib", "zstd") and dtype not in ("u8", "i8"):
            more["predictor"] = True  # horizontal, or of floating-point numbers
        content = written(pixels, *file, **more)
        check(content, as_read(content))


@pytest.mark.parametrize("bits", [*range(1, 8), *range(9, 16), 17, 23, 25, 31])
def test_packed_bits(bits):
    """Fewer than 8 are brought to 8, more stay as they are."""
    dtype = np.uint8 if bits < 8 else np.uint16 if bits < 16 else np.uint32
    values = (GREY.astype(np.uint64) * 0x9E3779B1 % 2**bits).astype(dtype)
    layers = np.stack([values, values[::-1], values[:, ::-1]])
    planar = {"photometric": "rgb", "planarconfig": "separate"}
    for order, layout in itertools.product("<>", ({"rowsperstrip": 5}, {"tile": (16, 32)})):
        for pixels, options in (
            (values, {"photometric": "minisblack"}),
            (values, {"photometric": "miniswhite"}),
            (np.moveaxis(layers, 0, -1).copy(), {"photometric": "rgb"}),
            (layers, planar),
        ):
            content = written(pixels, order, bitspersample=bits, **options, **layout)
            expected = as_read(content)
            if bits < 8:
                expected = np.round(expected * (255 / (2**bits - 1))).astype(np.uint8)
            check(content, expected)


@pytest.mark.parametrize("white", [False, True])
def test_packed_bits_with_a_sign(white):
    """Two's complement of 12 bits: -2048 is black, or white, and 2047 the other."""
    values = np.arange(-2048, 2048, 64).reshape(8, 8)
    packed = imagecodecs.packints_encode((values & 0xFFF).astype(np.uint16), 12)
    tags = {256: 8, 257: 8, 258: 12, 259: 1, 262: int(not white), 277: 1, 278: 8, 339: 2}
    expected = (-1 - values if white else values).astype(np.int16)
    check(build((tags, [packed])), expected)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", ["ccittrle", "ccittfax3", "ccittfax4", "packbits"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_fax(order, big, compression, photometric):
    content = imagecodecs.tiff_encode(
        GREY > 60, compression=compression, photometric=photometric, byteorder=order, bigtiff=big
    )
    white = (GREY > 60) == (photometric == "minisblack")
    check(content, white * np.uint8(255))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("size", [16, 8])
def test_palette(bits, size):
    """Colours are of 16 bits, but some write those of 8 bits as they are."""
    colors = np.random.default_rng(bits).integers(0, 2**size, (3, 2**bits)).astype(np.uint16)
    colors[0, 0] = 2**size - 1
    places = (GREY.astype(np.uint32) * 0x9E3779B1 % 2**bits).astype(f"u{1 + (bits > 8)}")
    packed = imagecodecs.packints_encode(places, bits, runlen=WIDTH) if bits < 8 else None
    data = packed or places.astype("<u2" if bits == 16 else "u1").tobytes()
    tags = {256: WIDTH, 257: HEIGHT, 258: bits, 259: 1, 262: 3, 277: 1, 278: HEIGHT}
    content = build(({**tags, 320: colors.ravel().tolist()}, [data]))
    check(content, (colors.T[places] >> (size - 8)).astype(np.uint8))


@pytest.mark.parametrize("layout", [{}, {"tile": (16, 32)}, {"rowsperstrip": 5}])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_cmyk(layout, compression):
    expected = (255 - INKS[..., :3].astype(int)) * (255 - INKS[..., 3:].astype(int)) / 255
    planes = np.ascontiguousarray(np.moveaxis(INKS, -1, 0))
    for pixels, options in ((INKS, {}), (planes, {"planarconfig": "separate"})):
        content = written(
            pixels, photometric="separated", compression=compression, **layout, **options
        )
        assert np.abs(decoded(content) - expected).max() < 1
        check(content, decode_deep(content))


@pytest.mark.parametrize("step", [(1, 1), (2, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize("compressed", [False, True])
def test_ycbcr(step, compressed):
    """One blue and red difference for each block of pixels, by TIFF 6.0, section 21."""
    (across, down), chance = step, np.random.default_rng(1)
    blocks = chance.integers(60, 190, (24 // down, 32 // across, across * down + 2))
    luma = blocks[..., :-2].reshape(24 // down, 32 // across, down, across)
    luma = luma.swapaxes(1, 2).reshape(24, 32)
    blue, red = (blocks[..., n].repeat(down, 0).repeat(across, 1) - 128.0 for n in (-2, -1))
    green = luma - (0.114 * 1.772 * blue + 0.299 * 1.402 * red) / 0.587
    expected = np.dstack([luma + 1.402 * red, green, luma + 1.772 * blue]).clip(0, 255)
    data = blocks.astype(np.uint8).tobytes()
    tags = {256: 32, 257: 24, 258: [8, 8, 8], 259: 8 if compressed else 1, 262: 6, 277: 3}
    data = imagecodecs.zlib_encode(data) if compressed else data
    content = build(({**tags, 278: 24, 530: list(step)}, [data]))
    assert np.abs(decoded(content) - expected).max() < 2
    check(content, decode_deep(content))


@pytest.mark.parametrize("layout", [{}, {"tile": (32, 16)}, {"rowsperstrip": 16}])
def test_jpeg_in_tiff(layout):
    smooth = np.dstack([ROWS * 5, COLUMNS * 4, ROWS + COLUMNS]).astype(np.uint8)
    planes = np.ascontiguousarray(np.moveaxis(smooth, -1, 0))
    as_rgb = {"photometric": "rgb", "compressionargs": {"outcolorspace": "rgb"}}
    for pixels, options in (
        (smooth[..., 0], {"photometric": "minisblack"}),
        (smooth[..., 0], {"photometric": "miniswhite"}),
        (smooth, {"photometric": "rgb"}),
        (smooth, {"photometric": "rgb", "subsampling": (2, 2)}),
        (smooth, as_rgb),
        (planes, {"photometric": "rgb", "planarconfig": "separate"}),
    ):
        content = written(pixels, compression="jpeg", **options, **layout)
        check(content, as_read(content))


def test_bits_of_a_byte_from_the_other_end():
    turned = bytes(int(f"{number:08b}"[::-1], 2) for number in GREY.tobytes())
    tags = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 1, 262: 1, 266: 2, 277: 1, 278: HEIGHT}
    check(build((tags, [turned])), GREY)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("photometric", ["rgb", "ycbcr"])
def test_orientation(orientation, photometric):
    turn = [(274, 3, 1, orientation, True)]
    upright = decode(written(RGB, photometric=photometric))
    content = written(RGB, photometric=photometric, extratags=turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(upright).save(buffer, "PNG", exif=exif)
    check(content, decode(buffer.getvalue()))


def test_pages_of_different_kinds():
    pages = [GREY, numbers("u2", 3), numbers("f4", 1)[:20], INKS[:9], GREY > 60]
    kinds = ["minisblack", "rgb", "minisblack", "separated", "miniswhite"]
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for page, kind in zip(pages, kinds, strict=True):
            writer.write(page, photometric=kind, metadata=None)
    content = buffer.getvalue()
    for frame in (0, 1, 2):
        np.testing.assert_array_equal(decode_deep(content, frame), pages[frame], strict=True)
    assert decode_deep(content, 3).shape == (9, WIDTH, 3)
    assert np.array_equal(decode_deep(content, 4), (GREY <= 60) * 255)
    assert np.array_equal(decode_deep(content), pages[2])
    with pytest.raises(DecodeError, match="5 pages"):
        deidentify(content, Pseudonyms(b"a key"))


@pytest.mark.parametrize("kind", [1, 4])  # another page made smaller, a mask of one
def test_thumbnails_and_masks_are_no_pages(kind):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(RGB, photometric="rgb", metadata=None)
        for _ in range(2):
            writer.write(GREY > 60, photometric="minisblack", subfiletype=kind, metadata=None)
    check(buffer.getvalue(), RGB)


def test_thumbnail_alone_is_the_picture():
    check(written(RGB, photometric="rgb", subfiletype=1), RGB)


@pytest.mark.parametrize("order", "<>")
def test_sizes_of_strips_that_are_missing_or_wrong(order):
    """Old writers left them out or wrote nothing good; without compression they follow."""
    tags = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 1, 262: 1, 277: 1, 278: HEIGHT}
    for sizes in (0, 10**6):
        check(build(({**tags, 279: sizes}, [GREY.tobytes()]), order=order), GREY)
    whole = build((tags, [GREY.tobytes()]), order=order)
    tag = struct.pack(f"{order}H", 279)
    assert whole.count(tag) == 1
    check(whole.replace(tag, struct.pack(f"{order}H", 280)), GREY)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("predictor", [2, 3])
def test_predictors_of_floating_point_numbers(order, predictor):
    for dtype in ("f4", "f8"):
        values = numbers(dtype, 1)
        content = imagecodecs.tiff_encode(
            values, compression="deflate", predictor=predictor, byteorder=order
        )
        check(content, values)


def volume() -> bytes:
    return written(np.stack([GREY] * 4), volumetric=True, photometric="minisblack")


def cut(content: bytes) -> bytes:
    return content[: -len(content) // 3]


TAGS = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 1, 262: 1, 277: 1, 278: HEIGHT}
ONE = [GREY.tobytes()]
SEPARATED = {"photometric": "separated", "rowsperstrip": 5}
REFUSED = {
    "JPEG 2000": (lambda: written(GREY, compression="jpeg2000"), "compression 34712; required"),
    "PNG": (lambda: written(RGB, photometric="rgb", compression="png"), "compression 34933"),
    "LZMA": (lambda: written(GREY, compression="lzma"), "compression 34925"),
    "CFA": (lambda: build(({**TAGS, 262: 32803}, ONE)), "photometric interpretation 32803"),
    "no photometric": (lambda: build(({**TAGS, 262: []}, ONE)), "interpretation -1; required"),
    "complex": (lambda: written(GREY.astype(np.complex64)), "64-bit samples of format 6"),
    "24 bits": (lambda: build(({**TAGS, 258: 24}, ONE)), "24-bit samples of format 1"),
    "40 bits": (lambda: build(({**TAGS, 258: 40}, ONE)), "40-bit samples of format 1"),
    "a volume": (volume, "volume"),
    "16-bit CMYK": (lambda: written(numbers("u2", 4), photometric="separated"), "CMYK of 16 bits"),
    "mixed bits": (lambda: build(({**TAGS, 258: [8, 16], 277: 2}, ONE)), "broken picture"),
    "RGB of one": (lambda: build(({**TAGS, 262: 2}, ONE)), "RGB of 1 samples"),
    "no palette": (lambda: build(({**TAGS, 262: 3}, ONE)), "palette lacks colours"),
    "no size": (lambda: build(({259: 1, 262: 1}, ONE)), "broken picture"),
    "no tags": (lambda: build(({}, [])), "photometric interpretation -1"),
    "no pages": (lambda: b"II*\0" + bytes(4), "no page"),
    "a name for width": (lambda: build(({**TAGS, 256: b"1"}, ONE)), "broken picture"),
    "cut": (lambda: cut(written(GREY)), "broken picture"),
    "cut strips": (lambda: cut(written(GREY, rowsperstrip=5, compression="lzw")), "broken"),
    "cut CMYK": (lambda: cut(written(INKS, **SEPARATED)), "not in the file"),
    "cut CMYK of LZW": (lambda: cut(written(INKS, **SEPARATED, compression="lzw")), "not in"),
    "cut JPEG": (lambda: cut(written(GREY, compression="jpeg", rowsperstrip=8)), "not in the"),
    "a strip of nothing": (
        lambda: build(({**TAGS, 278: 20, 279: [20 * WIDTH, 0]}, [ONE[0][: 20 * WIDTH]] * 2)),
        "broken picture",
    ),
    "too few strips": (lambda: build(({**TAGS, 278: 20}, ONE)), "broken picture"),
    "too few of CMYK": (
        lambda: build(({**TAGS, 258: [8] * 4, 262: 5, 277: 4, 278: 20}, [INKS.tobytes()])),
        "not in the file",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused(name):
    make, reason = REFUSED[name]
    for read in (decode, lambda content: deidentify(content, Pseudonyms(b"a key"))):
        with pytest.raises(DecodeError, match=reason):
            read(make())


def test_pages_are_counted_up_to_a_limit(monkeypatch):
    content = build(*[(TAGS, ONE)] * 3)
    assert np.array_equal(decode(content), GREY)
    monkeypatch.setattr(tiff_pages, "MOST_PAGES", 2)
    with pytest.raises(DecodeError, match="at most 2"):
        decode(content)
