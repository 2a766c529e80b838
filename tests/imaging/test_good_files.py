"""Good files of every raster kind, with the digest of what each has always been decoded to."""

from __future__ import annotations

import hashlib
import io
from functools import cache

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from worlds.tiffs import build, photometric

from tasks.imaging.decoding import decode

HEIGHT, WIDTH = 37, 43
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
GREY = ((ROWS * 5 + COLUMNS * COLUMNS) % 251).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
RGBA = np.dstack([RGB, (ROWS * 6).astype(np.uint8)])
DEEP, DEEP_RGB, DEEP_RGBA = (x.astype(np.uint16) * 257 for x in (GREY, RGB, RGBA))
PALETTE = np.random.default_rng(7).integers(0, 65536, (3, 256)).astype(np.uint16)
EXIF = Image.Exif()
EXIF[0x0112] = 6


def opencv(suffix: str, pixels: np.ndarray, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, pixels, list(options))[1].tobytes())


def pillow(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    byteorder, bigtiff = options.pop("byteorder", "<"), bool(options.pop("bigtiff", False))
    with tifffile.TiffWriter(buffer, byteorder=byteorder, bigtiff=bigtiff) as writer:
        writer.write(pixels, metadata=None, **photometric(pixels) | options)
    return buffer.getvalue()


def planes(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def values(kind: str) -> np.ndarray:
    """The grey picture as numbers of the type `kind`, negative ones where it has them."""
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        return (GREY / 7 - 11).astype(dtype)
    step = GREY.astype(dtype) * (np.iinfo(dtype).max // 512)
    return step - np.iinfo(dtype).max // 3 if dtype.kind == "i" else step


def subsampled() -> bytes:
    """YCbCr without compression, one blue and red difference for two times two pixels."""
    blocks = np.random.default_rng(5).integers(0, 256, (12, 16, 6)).astype(np.uint8)
    tags = {256: 32, 257: 24, 258: [8, 8, 8], 259: 1, 262: 6, 277: 3, 278: 24, 530: [2, 2]}
    return build((tags, [blocks.tobytes()]))


def pages() -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for page in (GREY, DEEP_RGB, values("f4")[:20]):
            writer.write(page, metadata=None, **photometric(page))
    return buffer.getvalue()


def of_opencv() -> dict[str, bytes]:
    turned = {f"{form} turned": pillow(Image.fromarray(RGB), form, exif=EXIF) for form in FORMS}
    pictures = {"grey": GREY, "rgb": RGB, "alpha": RGBA}
    kinds = {"png": pictures | {"deep": DEEP, "deep rgb": DEEP_RGB, "deep alpha": DEEP_RGBA}}
    kinds |= {"jpg": {"grey": GREY, "rgb": RGB}, "bmp": pictures}
    return turned | {
        f"{suffix} {name}": opencv(f".{suffix}", pixels)
        for suffix, named in kinds.items()
        for name, pixels in named.items()
    }


def of_pillow() -> dict[str, bytes]:
    colours, inks = Image.fromarray(RGB), 255 - np.asarray(Image.fromarray(RGB).convert("CMYK"))
    simple = {"palette": colours.quantize(16), "bits": Image.fromarray(GREY > 60)}
    files = {f"{form} {n}": pillow(i, form) for form in ("PNG", "BMP") for n, i in simple.items()}
    return files | {
        "PNG grey and alpha": pillow(Image.fromarray(RGBA[..., 2:], "LA"), "PNG"),
        "JPEG progressive": pillow(colours, "JPEG", progressive=True),
        "JPEG subsampled": pillow(colours, "JPEG", subsampling=2),
        "JPEG cmyk": imagecodecs.jpeg8_encode(inks, colorspace="CMYK", outcolorspace="CMYK"),
        "JPEG ycck": imagecodecs.jpeg8_encode(inks, colorspace="CMYK", outcolorspace="YCCK"),
        "TIFF fax 3": pillow(simple["bits"], "TIFF", compression="group3"),
        "TIFF fax 4": pillow(simple["bits"], "TIFF", compression="group4"),
    }


def of_tifffile() -> dict[str, bytes]:
    inks, bits = np.dstack([RGB, GREY]), GREY > 60
    small = {f"{kind} {n}": tiff(values(kind), photometric=n) for kind in NUMBERS for n in BLACK}
    layouts = {f"{n} {m}": tiff(x, **o) for n, x in LAYERS.items() for m, o in LAYOUTS.items()}
    packed = {
        f"{bits} bits": tiff(DEEP >> (16 - bits), bitspersample=bits) for bits in (10, 12, 14)
    }
    alpha = {f"{n} {kind}": tiff(x, photometric="rgb", extrasamples=[kind]) for n, x, kind in ALPHA}
    jpegs = {name: tiff(x, compression="jpeg", **options) for name, x, options in JPEGS}
    return (
        small
        | layouts
        | packed
        | alpha
        | jpegs
        | {
            "planar": tiff(planes(RGB), photometric="rgb", planarconfig="separate"),
            "white": tiff(GREY, photometric="miniswhite"),
            "bits black": tiff(bits, photometric="minisblack"),
            "bits white": tiff(bits, photometric="miniswhite"),
            "palette": tiff(GREY, photometric="palette", colormap=PALETTE),
            "cmyk": tiff(inks, photometric="separated"),
            "cmyk planar": tiff(planes(inks), photometric="separated", planarconfig="separate"),
            "ycbcr": tiff(RGB, photometric="ycbcr"),
            "ycbcr subsampled": subsampled(),
            "cielab": tiff(RGB, photometric="cielab"),
            "grey and alpha": tiff(
                RGBA[..., 2:], planarconfig="contig", extrasamples=["unassalpha"]
            ),
            "pages": pages(),
            **{
                f"turned {n}": tiff(RGB, photometric="rgb", extratags=[(274, 3, 1, n, True)])
                for n in range(1, 9)
            },
            **{
                f"ycbcr turned {n}": tiff(
                    RGB, photometric="ycbcr", extratags=[(274, 3, 1, n, True)]
                )
                for n in range(1, 9)
            },
        }
    )


FORMS = ("JPEG", "PNG", "TIFF")
NUMBERS = ("u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8")
BLACK = ("minisblack",)
LAYERS = {
    "grey": GREY,
    "rgb": RGB,
    "deep": DEEP,
    "deep rgb": DEEP_RGB,
    "float": values("f4"),
    "float rgb": RGB.astype(np.float32) / 7,
}
LAYOUTS = {
    "strips": {"rowsperstrip": 5},
    "tiles": {"tile": (16, 16), "compression": "zlib"},
    "lzw": {"compression": "lzw"},
    "packbits": {"compression": "packbits"},
    "deflate": {"compression": "zlib", "predictor": True},
    "big": {"bigtiff": True, "byteorder": ">"},
    "motorola": {"byteorder": ">"},
}
ALPHA = [
    (n, x, kind)
    for n, x in {"rgb": RGBA, "deep rgb": DEEP_RGBA}.items()
    for kind in ("unassalpha", "assocalpha", "unspecified")
]
JPEGS = [
    ("jpeg grey", GREY, {}),
    ("jpeg rgb", RGB, {"photometric": "rgb", "compressionargs": {"outcolorspace": "rgb"}}),
    ("jpeg ycbcr", RGB, {"photometric": "rgb"}),
    ("jpeg subsampled", RGB, {"photometric": "rgb", "subsampling": (2, 2)}),
    ("jpeg tiles", RGB, {"photometric": "rgb", "subsampling": (2, 1), "tile": (32, 32)}),
    ("jpeg planar", planes(RGB), {"photometric": "rgb", "planarconfig": "separate"}),
    ("jpeg cmyk", np.dstack([RGB, GREY]), {"photometric": "separated"}),
]


@cache
def files() -> dict[str, bytes]:
    return of_opencv() | of_pillow() | of_tifffile()


DIGESTS = {
    "JPEG turned": "8f0c8cf3a2b2",
    "PNG turned": "319cd7de0870",
    "TIFF turned": "319cd7de0870",
    "png grey": "16eb81ac8eb1",
    "png rgb": "6a485f5598ab",
    "png alpha": "6a485f5598ab",
    "png deep": "a4358f4cdf09",
    "png deep rgb": "40dd511553f7",
    "png deep alpha": "40dd511553f7",
    "jpg grey": "5033261f0b06",
    "jpg rgb": "c18b860e5037",
    "bmp grey": "16eb81ac8eb1",
    "bmp rgb": "6a485f5598ab",
    "bmp alpha": "6a485f5598ab",
    "PNG palette": "4fc361903edc",
    "PNG bits": "9fc06fe248a5",
    "BMP palette": "4fc361903edc",
    "BMP bits": "9fc06fe248a5",
    "PNG grey and alpha": "d2dfd8136be7",
    "JPEG progressive": "f845719ac1aa",
    "JPEG subsampled": "f845719ac1aa",
    "JPEG cmyk": "ec5a04f242e6",
    "JPEG ycck": "2c3626904744",
    "TIFF fax 3": "9fc06fe248a5",
    "TIFF fax 4": "9fc06fe248a5",
    "u2 minisblack": "a4358f4cdf09",
    "u4 minisblack": "a4358f4cdf09",
    "u8 minisblack": "a4358f4cdf09",
    "i1 minisblack": "3703f1e83cac",
    "i2 minisblack": "a4358f4cdf09",
    "i4 minisblack": "a4358f4cdf09",
    "i8 minisblack": "a4358f4cdf09",
    "f4 minisblack": "a4358f4cdf09",
    "f8 minisblack": "a4358f4cdf09",
    "grey strips": "16eb81ac8eb1",
    "grey tiles": "16eb81ac8eb1",
    "grey lzw": "16eb81ac8eb1",
    "grey packbits": "16eb81ac8eb1",
    "grey deflate": "16eb81ac8eb1",
    "grey big": "16eb81ac8eb1",
    "grey motorola": "16eb81ac8eb1",
    "rgb strips": "0940f22b1954",
    "rgb tiles": "0940f22b1954",
    "rgb lzw": "0940f22b1954",
    "rgb packbits": "0940f22b1954",
    "rgb deflate": "0940f22b1954",
    "rgb big": "0940f22b1954",
    "rgb motorola": "0940f22b1954",
    "deep strips": "a4358f4cdf09",
    "deep tiles": "a4358f4cdf09",
    "deep lzw": "a4358f4cdf09",
    "deep packbits": "a4358f4cdf09",
    "deep deflate": "a4358f4cdf09",
    "deep big": "a4358f4cdf09",
    "deep motorola": "a4358f4cdf09",
    "deep rgb strips": "9a74195ae417",
    "deep rgb tiles": "9a74195ae417",
    "deep rgb lzw": "9a74195ae417",
    "deep rgb packbits": "9a74195ae417",
    "deep rgb deflate": "9a74195ae417",
    "deep rgb big": "9a74195ae417",
    "deep rgb motorola": "9a74195ae417",
    "float strips": "a4358f4cdf09",
    "float tiles": "a4358f4cdf09",
    "float lzw": "a4358f4cdf09",
    "float packbits": "a4358f4cdf09",
    "float deflate": "a4358f4cdf09",
    "float big": "a4358f4cdf09",
    "float motorola": "a4358f4cdf09",
    "float rgb strips": "5723f3861bfc",
    "float rgb tiles": "5723f3861bfc",
    "float rgb lzw": "5723f3861bfc",
    "float rgb packbits": "5723f3861bfc",
    "float rgb deflate": "5723f3861bfc",
    "float rgb big": "5723f3861bfc",
    "float rgb motorola": "5723f3861bfc",
    "10 bits": "f20e2df4f29c",
    "12 bits": "4a668ef2f21c",
    "14 bits": "a4358f4cdf09",
    "rgb unassalpha": "1ffd1884b49b",
    "rgb assocalpha": "0940f22b1954",
    "rgb unspecified": "0940f22b1954",
    "deep rgb unassalpha": "9a74195ae417",
    "deep rgb assocalpha": "9a74195ae417",
    "deep rgb unspecified": "9a74195ae417",
    "jpeg grey": "5033261f0b06",
    "jpeg rgb": "dda4ef6e7439",
    "jpeg ycbcr": "7e6ccccb9a8d",
    "jpeg subsampled": "7e6ccccb9a8d",
    "jpeg tiles": "e528dbbf2b18",
    "jpeg planar": "dda4ef6e7439",
    "jpeg cmyk": "ee1e974c765a",
    "planar": "0940f22b1954",
    "white": "638fff1d24ee",
    "bits black": "9fc06fe248a5",
    "bits white": "6f54e2c1e684",
    "palette": "cf99b2343350",
    "cmyk": "a901808bb3a3",
    "cmyk planar": "a901808bb3a3",
    "ycbcr": "41ff189a9e99",
    "ycbcr subsampled": "50fba4341d65",
    "cielab": "94c5f28291e7",
    "grey and alpha": "bc1c0a071819",
    "pages": "9a74195ae417",
    "turned 1": "0940f22b1954",
    "turned 2": "1e9a43a62406",
    "turned 3": "7dd7e250a292",
    "turned 4": "fee653aefce1",
    "turned 5": "db52344a41ec",
    "turned 6": "319cd7de0870",
    "turned 7": "04d8fe6c896e",
    "turned 8": "d446d442233a",
    "ycbcr turned 1": "41ff189a9e99",
    "ycbcr turned 2": "92df8441b0d1",
    "ycbcr turned 3": "1a8fe3ca702f",
    "ycbcr turned 4": "18fbf5059b09",
    "ycbcr turned 5": "2eeb19d6f17c",
    "ycbcr turned 6": "0da48cf15a2d",
    "ycbcr turned 7": "9845a1e7da69",
    "ycbcr turned 8": "3a86c682607c",
}


def digest(content: bytes) -> str:
    pixels = decode(content)
    named = f"{pixels.dtype} {pixels.shape}".encode()
    return hashlib.sha256(named + pixels.tobytes()).hexdigest()[:12]


def test_every_file_has_a_digest():
    assert DIGESTS.keys() == files().keys()


@pytest.mark.parametrize("name", DIGESTS)
def test_good_file_is_decoded_as_ever(name):
    assert digest(files()[name]) == DIGESTS[name]
