"""Colours in a TIFF, as the specification or another reader has them, and the way up."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from worlds.tiff_pictures import (
    COLUMNS,
    COMPRESSIONS,
    GREY,
    HEIGHT,
    INKS,
    RGB,
    ROWS,
    WIDTH,
    as_read,
    check,
    decoded,
    written,
)
from worlds.tiffs import build

from tasks.imaging.decoding import decode, decode_deep


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
