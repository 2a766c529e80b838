"""What is not read of TIFF is refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest
from worlds.tiff_pictures import (
    GREY,
    INKS,
    RGB,
    TAGS,
    WIDTH,
    numbers,
    written,
)
from worlds.tiffs import build

from tasks.common.errors import DecodeError
from tasks.imaging.decoding import decode
from tasks.imaging.deidentification import deidentify
from tasks.privacy.pseudonyms import Pseudonyms


def volume() -> bytes:
    return written(np.stack([GREY] * 4), volumetric=True, photometric="minisblack")


def cut(content: bytes) -> bytes:
    return content[: -len(content) // 3]


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
