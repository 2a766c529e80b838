"""Synthetic axial chest slices in Hounsfield units. No pixel of them comes from a person.

How hard it is to tell a nodule from its surroundings stands in the constants below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 256  # pixels, both ways
NODULE_RADIUS = (16.0, 32.0)  # pixels, in its largest slice
VISIBLE_RADIUS = 12.0  # pixels; a smaller cut is not drawn, so lesions are 24 to 64 wide
NODULE_CONTRAST_HU = (500.0, 850.0)  # above the lung around it
NODULE_SOFTNESS = (1.5, 4.0)  # pixels over which its rim fades
LUNG_HU = -840.0
LUNG_TEXTURE_HU = 12.0  # standard deviation of the lung's own uneven density
DISTRACTORS = 1  # at most, a slice: bands like scars, long and thin
DISTRACTOR_HU = (100.0, 350.0)  # above the lung around it
VESSELS = 3  # branches per lung

Image = NDArray[np.float32]
ROWS, COLUMNS = (axis.astype(np.float32) for axis in np.mgrid[0:SIZE, 0:SIZE])


@dataclass(frozen=True)
class Nodule:
    """A soft ball: its largest slice, centre there, radius and rim in pixels, contrast in HU."""

    slice: int
    row: float
    column: float
    radius: float
    contrast: float
    softness: float
    lobes: int


@dataclass(frozen=True)
class Body:
    """One body: half-widths of its outline in pixels, where it lies, and how its lungs lie."""

    row: float
    column: float
    height: float
    width: float
    lung_height: float
    lung_width: float
    rib_phase: float
    nodule: Nodule | None


def draw_body(rng: np.random.Generator, slices: int, diseased: bool) -> Body:
    """A body of its own build, with a nodule in one lung if `diseased`."""
    height, width = rng.uniform(84, 98), rng.uniform(104, 119)
    body = Body(
        row=128 + rng.uniform(-5, 5),
        column=128 + rng.uniform(-5, 5),
        height=height,
        width=width,
        lung_height=height * rng.uniform(0.72, 0.78),
        lung_width=width * rng.uniform(0.35, 0.39),
        rib_phase=rng.uniform(0, 2 * np.pi),
        nodule=None,
    )
    if not diseased:
        return body
    return Body(**{**vars(body), "nodule": _draw_nodule(rng, body, slices)})


def _draw_nodule(rng: np.random.Generator, body: Body, slices: int) -> Nodule:
    """In the right lung anywhere near its middle, in the left one behind and beside the heart."""
    angle, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
    if rng.random() < 0.5:
        row, column, height, width = body.row, body.column - 0.5 * body.width, 0.55, 0.16
    else:
        row, column = body.row + 0.3 * body.lung_height, body.column + 0.58 * body.width
        height, width = 0.25, 0.1
    return Nodule(
        slice=int(rng.integers(slices)),
        row=row + far * np.sin(angle) * height * body.lung_height,
        column=column + far * np.cos(angle) * width * body.width,
        radius=rng.uniform(*NODULE_RADIUS),
        contrast=rng.uniform(*NODULE_CONTRAST_HU),
        softness=rng.uniform(*NODULE_SOFTNESS),
        lobes=int(rng.integers(2, 6)),
    )


def draw_slice(
    rng: np.random.Generator, body: Body, level: int, spacing: float
) -> tuple[Image, NDArray[np.bool_] | None]:
    """The slice at `level` in HU, `spacing` pixels from the next, and the mask of its lesion."""
    outline = _ellipse(body.row, body.column, body.height, body.width)
    heart = _heart(rng, body)
    lungs = np.maximum(*(_lung(rng, body, side) for side in (-1, 1))) * (1 - heart)
    tissue = _blend(np.full((SIZE, SIZE), -1000, np.float32), outline, -95)
    tissue = _blend(tissue, _ellipse(body.row, body.column, body.height - 9, body.width - 9), 45)
    tissue = _mediastinum(rng, body, _blend(tissue, heart, 60))
    air = LUNG_HU + _texture(rng, LUNG_TEXTURE_HU) + 0.9 * (ROWS - body.row)  # gravity
    air += _distractors(rng, body)
    air, lesion = _with_nodule(air, lungs, body.nodule, level, spacing)
    vessels = _vessels(rng, body)
    air = air * (1 - vessels) + 30 * vessels
    return _bones(body, level, tissue * (1 - lungs) + air * lungs), lesion


def acquire(rng: np.random.Generator, hounsfield: Image, noise: float, blur: float) -> Image:
    """What a scanner makes of it: a kernel of `blur` pixels, correlated noise of `noise` HU."""
    white = rng.standard_normal((SIZE, SIZE), np.float32)
    grain = cv2.GaussianBlur(white, (0, 0), 0.6 + blur / 2)
    return _f32(cv2.GaussianBlur(hounsfield, (0, 0), blur) + grain * (noise / grain.std()))


def _ellipse(
    row: float, column: float, height: float, width: float, tilt: float = 0.0, rim: float = 1.0
) -> Image:
    """1 inside, 0 outside, fading over about `rim` pixels; `tilt` in radians."""
    dy, dx = ROWS - np.float32(row), COLUMNS - np.float32(column)
    u = dx * np.float32(np.cos(tilt)) + dy * np.float32(np.sin(tilt))
    v = dy * np.float32(np.cos(tilt)) - dx * np.float32(np.sin(tilt))
    u, v = u / np.float32(width), v / np.float32(height)
    distance = (np.sqrt(u * u + v * v) - 1) * np.float32(min(width, height))
    return _inside(distance, rim)


def _inside(distance: Image, rim: float) -> Image:
    return _f32(1 / (1 + np.exp(np.clip(distance / np.float32(rim), -30, 30))))


def _blend(image: Image, mask: Image, value: float) -> Image:
    return _f32(image + mask * (np.float32(value) - image))


def _texture(rng: np.random.Generator, deviation: float) -> Image:
    coarse = rng.standard_normal((SIZE // 8, SIZE // 8), np.float32)
    smooth = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return _f32(smooth * (deviation / smooth.std()))


def _lung(rng: np.random.Generator, body: Body, side: int) -> Image:
    row = body.row - 2 + rng.uniform(-2, 2)
    column = body.column + side * 0.5 * body.width
    tilt = side * -0.12 + rng.uniform(-0.03, 0.03)
    return _ellipse(row, column, body.lung_height, body.lung_width, tilt)


def _heart(rng: np.random.Generator, body: Body) -> Image:
    row, column = body.row - 18 + rng.uniform(-4, 4), body.column + 20 + rng.uniform(-4, 4)
    return _ellipse(row, column, rng.uniform(24, 30), rng.uniform(32, 38), 0.5, 1.5)


def _mediastinum(rng: np.random.Generator, body: Body, tissue: Image) -> Image:
    """Aorta and main airways between the lungs."""
    tissue = _blend(tissue, _ellipse(body.row + 28, body.column + 12, 10, 10), 75)
    for side in (-1, 1):
        airway = _ellipse(body.row + 14, body.column + side * rng.uniform(6, 10), 4.5, 5)
        tissue = _blend(tissue, airway, -950)
    return tissue


def _distractors(rng: np.random.Generator, body: Body) -> Image:
    """Bands like scars: dense, but long and thin."""
    total = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(rng.integers(DISTRACTORS + 1)):
        side = rng.choice([-1, 1])
        band = _ellipse(
            body.row + rng.uniform(-0.6, 0.6) * body.lung_height,
            body.column + (side * 0.5 + rng.uniform(-0.2, 0.2)) * body.width,
            rng.uniform(3, 6),
            rng.uniform(18, 36),
            rng.uniform(0, np.pi),
            rng.uniform(1, 2),
        )
        total += band * np.float32(rng.uniform(*DISTRACTOR_HU))
    return total


def _with_nodule(
    air: Image, lungs: Image, nodule: Nodule | None, level: int, spacing: float
) -> tuple[Image, NDArray[np.bool_] | None]:
    """Add the ball's cut at this level; where it would be too small to see there is none."""
    if nodule is None:
        return air, None
    squared = nodule.radius**2 - ((level - nodule.slice) * spacing) ** 2
    if squared < VISIBLE_RADIUS**2:
        return air, None
    dy, dx = ROWS - np.float32(nodule.row), COLUMNS - np.float32(nodule.column)
    wave = 1 + np.float32(0.1) * np.cos(nodule.lobes * np.arctan2(dy, dx) + np.float32(nodule.row))
    cut = _inside(np.hypot(dy, dx) - np.float32(np.sqrt(squared)) * wave, nodule.softness)
    return air + cut * np.float32(nodule.contrast), (cut > 0.5) & (lungs > 0.5)


def _vessels(rng: np.random.Generator, body: Body) -> Image:
    """Trees that branch and thin out from the hilum of each lung, 1 where there is blood."""
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    for side in (-1, 1):
        hilum = (body.row + 2, body.column + side * 0.24 * body.width)
        for _ in range(VESSELS):
            angle = rng.uniform(-1.9, 1.9) + (0 if side > 0 else np.pi)
            _branch(rng, canvas, hilum, angle, rng.uniform(1.6, 3.4))
    return _f32(cv2.GaussianBlur(canvas, (0, 0), 0.7)) / np.float32(255)


def _branch(
    rng: np.random.Generator,
    canvas: NDArray[np.uint8],
    start: tuple[float, float],
    angle: float,
    thickness: float,
) -> None:
    row, column = start
    while thickness > 0.7:
        angle += rng.normal(0, 0.3)
        end = row + 9 * np.sin(angle), column + 9 * np.cos(angle)
        grey = int(255 * min(1.0, thickness / 2))
        _line(canvas, (row, column), end, grey, max(1, round(thickness)))
        if thickness < 3 and rng.random() < 0.3:
            _branch(rng, canvas, end, angle + rng.choice([-0.7, 0.7]), thickness * 0.7)
        (row, column), thickness = end, thickness * rng.uniform(0.8, 0.93)


def _line(
    canvas: NDArray[np.uint8], a: Sequence[float], b: Sequence[float], grey: int, thickness: int
) -> None:
    start, end = ((round(column * 16), round(row * 16)) for row, column in (a, b))  # 1/16 pixels
    cv2.line(canvas, start, end, grey, thickness, cv2.LINE_AA, 4)


def _bones(body: Body, level: int, image: Image) -> Image:
    """Ribs along the wall, the spine with its canal, and the breastbone."""
    bone, marrow = np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    center = (round(body.column * 16), round(body.row * 16))
    axes = (round((body.width - 13) * 16), round((body.height - 12) * 16))
    for rib in range(10):
        start = np.degrees(body.rib_phase) + rib * 36 + level * 8
        cv2.ellipse(bone, center, axes, 0, start, start + 17, 255, 7, cv2.LINE_AA, 4)
        cv2.ellipse(marrow, center, axes, 0, start + 2, start + 15, 255, 3, cv2.LINE_AA, 4)
    image = _blend_mask(_blend_mask(image, bone, 420), marrow, 160)
    spine, front = body.row + body.height - 32, body.row - body.height + 12
    image = _blend(image, _ellipse(spine, body.column, 15, 17), 230)
    image = _blend(image, _ellipse(spine + 19, body.column, 5, 6), 35)
    image = _blend(image, _ellipse(spine + 26, body.column, 4, 18), 330)
    return _blend(image, _ellipse(front, body.column, 4, 14), 280)


def _blend_mask(image: Image, mask: NDArray[np.uint8], value: float) -> Image:
    return _blend(image, _f32(mask) / np.float32(255), value)


def _f32(image: Any) -> Image:
    return np.asarray(image, np.float32)
