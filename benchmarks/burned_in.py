"""How often a name burned into a picture is found, and how often one is seen where none is.

Into every picture of DATA that has no text yet, invented names are written: in several sizes,
contrasts and typefaces, anywhere, by a fixed seed. The share of them that `has_text` finds is the
figure. DATA is a folder of DICOM, PNG or JPEG files; without it, pictures are drawn.
"""

from __future__ import annotations

import itertools
import random
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.result import report
from tasks.common.errors import DecodeError
from tasks.imaging import dicom
from tasks.imaging.burned_in_text import has_text
from tasks.imaging.decoding import decode
from tasks.imaging.formats import sniff
from tasks.imaging.levels import Pixels

GOAL = 0.9
MOST = 150  # pictures, evenly chosen
HEIGHTS = (8, 10, 14, 20)  # of a capital, in pixels
CONTRASTS = (60, 120, 255)  # to what lies below, of 255; 255 is white or black
NAMES = ("QUILLFEATHER^ANSELMINA", "Okonjwera, D.", "MARROWGATE 12.04.1963", "Vexholm Fridolinus")
TYPEFACES = ("OpenCV's strokes", "Pillow's outlines")


class Text(NamedTuple):
    """A text to write: height of a capital in pixels, contrast of 255, and typeface."""

    words: str
    height: int
    contrast: int
    typeface: str


def main() -> None:
    """Print the shares and the result."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    pictures = list(itertools.islice(_pictures(folder), MOST)) if folder else _drawn()
    start = time.perf_counter()
    bare = [picture for picture in pictures if not has_text(picture)]
    seconds = (time.perf_counter() - start) / len(pictures)
    print(f"{len(pictures)} pictures, {seconds:.2f} s each")
    print(f"text seen in {1 - len(bare) / len(pictures):.1%} of them as they came")
    found = _found(bare)
    for kind in Text._fields[1:]:
        groups = defaultdict(list)
        for text, seen in found.items():
            groups[getattr(text[0], kind)].append(seen)
        shares = (f"{name}: {np.mean(seen):.1%} of {len(seen)}" for name, seen in groups.items())
        print(f"found by {kind}: {', '.join(sorted(shares))}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory of the process: {memory:.0f} MiB at most")
    report("burned_in", float(np.mean(list(found.values()))), GOAL)


def _found(pictures: list[Pixels]) -> dict[tuple[Text, int], bool]:
    """Whether a text in each picture is found; all kinds of text come equally often."""
    chance = random.Random(5)
    kinds = list(itertools.product(NAMES, HEIGHTS, CONTRASTS, TYPEFACES))
    chance.shuffle(kinds)
    texts = [Text(*kind) for kind in itertools.islice(itertools.cycle(kinds), len(pictures))]
    pairs = enumerate(zip(pictures, texts, strict=True))
    return {(text, n): has_text(written(picture, text, chance)) for n, (picture, text) in pairs}


def written(picture: Pixels, text: Text, chance: random.Random) -> Pixels:
    """`picture` in grey `(H, W)` with the text somewhere, lighter or darker than what is below."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture
    ink = _ink(text)[:, : grey.shape[1]]
    top = chance.randint(0, max(grey.shape[0] - ink.shape[0], 0))
    left = chance.randint(0, max(grey.shape[1] - ink.shape[1], 0))
    below = grey[top : top + ink.shape[0], left : left + ink.shape[1]]
    ink = ink[: below.shape[0]]
    level = float(below[ink > 0].mean())
    lighter = level < 128  # so that the contrast is there to have
    value = np.clip(level + (text.contrast if lighter else -text.contrast), 0, 255)
    result = grey.copy()
    result[top : top + ink.shape[0], left : left + ink.shape[1]] = np.rint(
        below * (1 - ink) + value * ink
    )
    return result


def _ink(text: Text) -> np.ndarray:
    """The text alone, `(h, w)` from 0 to 1."""
    canvas = np.zeros((3 * text.height, 40 * text.height), np.uint8)
    if text.typeface == TYPEFACES[0]:
        thick = max(1, text.height // 10)
        strokes, place = cv2.FONT_HERSHEY_SIMPLEX, (1, 2 * text.height)
        scale = cv2.getFontScaleFromHeight(strokes, text.height, thick)
        cv2.putText(canvas, text.words, place, strokes, scale, 255, thick, cv2.LINE_AA)
    else:
        image = Image.fromarray(canvas)
        font = ImageFont.load_default(size=text.height / 0.7)
        ImageDraw.Draw(image).text((1, text.height // 2), text.words, fill=255, font=font)
        canvas = np.array(image)
    left, top, width, height = cv2.boundingRect(canvas)
    return canvas[top : top + height, left : left + width] / 255


def _pictures(folder: Path) -> Iterator[Pixels]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    for file in files[:: max(1, len(files) // MOST)]:
        content = file.read_bytes()
        try:
            kind = sniff(content)
            yield dicom.decode(content, None) if kind == "dicom" else decode(content)
        except DecodeError:
            continue


def _drawn() -> list[Pixels]:
    """Soft blobs with noise, `(512, 512)`, that look like nothing and hold no text."""
    chance = np.random.default_rng(5)
    coarse = chance.normal(90, 60, (48, 12, 12))
    soft = [cv2.resize(field, (512, 512), interpolation=cv2.INTER_CUBIC) for field in coarse]
    return [
        np.clip(field + chance.normal(0, 6, field.shape), 0, 255).astype(np.uint8) for field in soft
    ]


if __name__ == "__main__":
    main()
