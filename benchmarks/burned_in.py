"""How often a name burned into a picture is found, and how often one is seen where none is.

Into every picture of DATA that has no text yet, invented names are written: in several sizes,
contrasts and typefaces, anywhere, by a fixed seed. The share of them that `has_text` finds is the
figure. DATA is a folder of DICOM, PNG or JPEG files; without it, pictures are drawn.

Drawn clips of 100 frames show what one costs, and how often a name in one of the frames is found.
"""

from __future__ import annotations

import io
import itertools
import random
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage

from benchmarks.clips import HEIGHT, WIDTH, sonogram
from benchmarks.result import report
from tasks.common.errors import DecodeError
from tasks.imaging import dicom, elements
from tasks.imaging.burned_in_text import has_text, to_read
from tasks.imaging.decoding import decode
from tasks.imaging.formats import sniff
from tasks.imaging.levels import Pixels

GOAL = 0.9
MOST = 150  # pictures, evenly chosen
HEIGHTS = (8, 10, 14, 20)  # of a capital, in pixels
CONTRASTS = (60, 120, 255)  # to what lies below, of 255; 255 is white or black
NAMES = ("QUILLFEATHER^ANSELMINA", "Okonjwera, D.", "MARROWGATE 12.04.1963", "Vexholm Fridolinus")
FRAMES, CLIP_SECONDS = 100, 2.0
CLIPS = {
    "calm": 0.8,
    "lively": 0.6,
    "wild": 0.3,
}  # how much of the speckle stays from frame to frame
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
    _report_clips()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory of the process: {memory:.0f} MiB at most")
    report("burned_in", float(np.mean(list(found.values()))), GOAL)


def _report_clips() -> None:
    """What clips cost, and how often a name is found that stands in one frame."""
    print(f"clips of {FRAMES} frames, {WIDTH} x {HEIGHT}, wanted: {CLIP_SECONDS} s")
    clips = {name: sonogram(FRAMES, stays, seed=7) for name, stays in CLIPS.items()}
    for name, clip in clips.items():
        start, busy = time.perf_counter(), time.process_time()
        dataset = elements.read(_as_dicom(clip))
        seen = [has_text(picture) for picture in to_read(FRAMES, partial(_shown, dataset))]
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        told = "text seen" if any(seen) else "no text"
        print(f"  {name}: {seconds:.1f} s ({busy:.1f} s of cores), {len(seen)} read, {told}")
    planted = list(_planted(clips))
    for contrast in CONTRASTS:
        hits = [seen for text, *seen in planted if text.contrast == contrast]
        found, alone = (f"{share:.1%}" for share in np.mean(hits, axis=0))
        print(
            f"  name in one frame, contrast {contrast}: {found} of {len(hits)}; read whole: {alone}"
        )


def _shown(dataset: Dataset, frame: int) -> Pixels:
    return dicom.shown(dataset, None, frame)


def _planted(clips: Mapping[str, list[Pixels]]) -> Iterator[tuple[Text, bool, bool]]:
    """Of each text in one frame of a clip: whether it is found there, and in the frame alone."""
    chance = random.Random(11)
    kinds = list(itertools.product(NAMES, HEIGHTS, CONTRASTS, TYPEFACES))
    for number, kind in enumerate(kinds):
        clip = list(clips.values())[number % len(clips)]
        text, at = Text(*kind), chance.randrange(1, FRAMES - 1)
        named = written(clip[at], text, chance)
        # Neither the first, the middle nor the last; of the other 94 none matters to it.
        part = [clip[at - 1], clip[at - 1], named, *[clip[at + 1]] * 3]
        yield text, any(map(has_text, to_read(len(part), part.__getitem__))), has_text(named)


def _as_dicom(clip: list[Pixels]) -> bytes:
    dataset, buffer = Dataset(), io.BytesIO()
    dataset.SOPClassUID, dataset.SOPInstanceUID = UltrasoundMultiFrameImageStorage, "1.2.3"
    dataset.Modality, dataset.NumberOfFrames, dataset.SamplesPerPixel = "US", len(clip), 1
    dataset.Rows, dataset.Columns = clip[0].shape
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = encapsulate([cv2.imencode(".jpg", frame)[1].tobytes() for frame in clip])
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


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
