"""One ONNX file that serves, and what it says of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tasks.common.errors import ParameterError

if TYPE_CHECKING:
    from tasks.imaging.images import Images

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
BATCH_SIZE = 32
LOOKS = "looks"  # of the file's metadata: how many images pass the network for each that is scored


def batch_size(metadata: Mapping[str, str]) -> int:
    """How many images a graph gets at once, so that about `BATCH_SIZE` pass its network."""
    return max(1, BATCH_SIZE // int(metadata.get(LOOKS, 1)))


class Session:
    """Runs a graph that `compression.whole_graph` made, on the processor."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Load the file; 0 threads are as many as there are cores."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._size = batch_size(self._session.get_modelmeta().custom_metadata_map)

    def scores(self, images: Images | Pixels) -> Floats:
        """Calibrated scores `(N, K)` of `(N, H, W, C)` pixels."""
        return self._run(["scores"], images)[0]

    def heatmaps(self, images: Pixels, output: int, absent: bool) -> tuple[Floats, Floats]:
        """Scores `(N, K)`, and what speaks for an output in `(N, h, w)` of [0, 1]: the class
        activation map (Zhou et al. 2016, CVPR), whose largest value is 1, or 0 everywhere.

        Args:
            images: `(N, H, W, C)`.
            output: which score to explain.
            absent: explain that its class is absent: what lowers the score.

        Raises:
            ParameterError: the network's maps have one place only, which shows nothing.
        """
        scores, maps, weights = self._run(["scores", "maps", "weights"], images)
        if maps.shape[1:3] == (1, 1):
            raise ParameterError(
                "required: a network whose last maps have several places; received: one that makes "
                "features of the whole image. Where it was made, python -m tasks.explain_version "
                "explains it from its scores alone"
            )
        evidence = np.maximum(maps @ weights[:, output] * (-1 if absent else 1), 0)
        largest = evidence.max(axis=(1, 2), keepdims=True)
        return scores, evidence / np.where(largest > 0, largest, 1)

    def fingerprint(self, images: Pixels) -> list[float]:
        """What the weights make of the maps' means, which is the logits of the image itself but for
        a constant: where arithmetic differs, these do.
        """
        maps, weights = self._run(["maps", "weights"], images)
        return [float(x) for x in (maps.mean(axis=(1, 2)) @ weights).ravel()]

    def _run(self, wanted: list[str], images: Images | Pixels) -> list[Floats]:
        """Batch after batch; the weights hang on no image."""
        starts = range(0, len(images), self._size)
        parts = [self._session.run(wanted, {"images": images[k : k + self._size]}) for k in starts]
        pairs = zip(wanted, zip(*parts, strict=True), strict=True)
        return [found[0] if name == "weights" else np.concatenate(found) for name, found in pairs]
