"""Small TIFFs of every depth, colour and layout, for the fuzz harness to damage."""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import tifffile

from tests.worlds.tiffs import build

SIDE = 24
PALETTE = np.random.default_rng(3).integers(0, 65536, (3, 256)).astype(np.uint16)
TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
LAYOUTS: tuple[dict[str, Any], ...] = (
    {"rowsperstrip": 7},
    {"tile": (16, 16), "compression": "zlib"},
    {"compression": "lzw", "predictor": True},
    {"compression": "packbits", "byteorder": ">"},
    {"compression": "zstd", "bigtiff": True},
)


def pictures() -> list[bytes]:
    """Whole files; the same ones at every call."""
    return [*_of_every_type(), *_of_every_kind(), _subsampled(), pages()]


def _of_every_type() -> list[bytes]:
    """Grey and colours, chunky and planar, each in another layout."""
    kinds = itertools.product(TYPES, ("minisblack", "miniswhite", "rgb", "planar"))
    layouts = itertools.cycle(LAYOUTS)
    return [_layers(dtype, kind, next(layouts)) for dtype, kind in kinds]


def _layers(dtype: str, kind: str, layout: dict[str, Any]) -> bytes:
    pixels = _values(dtype, 3 if kind in ("rgb", "planar") else 1)
    options: dict[str, Any] = {"photometric": kind}
    if kind == "planar":
        pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
        options = {"photometric": "rgb", "planarconfig": "separate"}
    if dtype in ("u8", "i8"):  # tifffile has no predictor for them
        layout = {name: value for name, value in layout.items() if name != "predictor"}
    return _written(pixels, **options, **layout)


def _of_every_kind() -> list[bytes]:
    flat, colors, inks = _values("u1"), _values("u1", 3), _values("u1", 4)
    packed = [_written(flat >> (8 - bits), bitspersample=bits) for bits in (2, 4)]
    deep = [_written(_values("u2") >> (16 - bits), bitspersample=bits) for bits in (10, 12, 15)]
    alpha = [
        _written(_values(dtype, 4), photometric="rgb", extrasamples=[kind])
        for dtype, kind in itertools.product(("u1", "u2"), ("unassalpha", "assocalpha"))
    ]
    jpeg: dict[str, Any] = {"compression": "jpeg"}
    return [
        *packed,
        *deep,
        *alpha,
        _written(flat, photometric="palette", colormap=PALETTE),
        _written(flat > 60, photometric="miniswhite"),
        _written(inks, photometric="separated", compression="lzw", rowsperstrip=5),
        _written(colors, photometric="ycbcr"),
        _written(colors, photometric="cielab"),
        _written(flat, **jpeg),
        _written(colors, photometric="rgb", subsampling=(2, 2), **jpeg),
        _written(colors, photometric="rgb", tile=(16, 16), **jpeg),
    ]


def pages() -> bytes:
    """Three pages of different kinds, which de-identification refuses."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for dtype, samples in (("u1", 1), ("u2", 3), ("f4", 1)):
            kind = "rgb" if samples == 3 else "minisblack"
            writer.write(_values(dtype, samples), photometric=kind, metadata=None)
    return buffer.getvalue()


def _subsampled() -> bytes:
    blocks = np.random.default_rng(5).integers(0, 256, SIDE // 2 * SIDE // 2 * 6).astype(np.uint8)
    tags = {256: SIDE, 257: SIDE, 258: [8, 8, 8], 259: 1, 262: 6, 277: 3, 278: SIDE, 530: [2, 2]}
    return build((tags, [blocks.tobytes()]))


def _values(dtype: str, samples: int = 1) -> np.ndarray:
    """`(H, W)` or `(H, W, samples)`."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    grey = (rows * 7 + columns * columns) % 256
    picture = np.dstack([np.roll(grey, 5 * n, 0) for n in range(samples)]).squeeze()
    return (picture * (257 if dtype == "u2" else 1) - (128 if dtype[0] == "i" else 0)).astype(dtype)


def _written(pixels: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    whole = {name: options.pop(name) for name in ("byteorder", "bigtiff") if name in options}
    with tifffile.TiffWriter(buffer, **whole) as writer:
        writer.write(pixels, metadata=None, **options)
    return buffer.getvalue()
