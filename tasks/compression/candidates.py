"""ONNX files that could serve, and whether int8 may."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray

from tasks.compression.export import export
from tasks.compression.int8 import Pixels, Quantiser, logits
from tasks.compression.test_time import averaged
from tasks.compression.whole_graph import complete, head_scores
from tasks.imaging.images import Images
from tasks.serving.session import Session
from tasks.serving.settings import FLOAT, INT8
from tasks.statistics import Array, recalibration
from tasks.statistics.metrics import auroc
from tasks.statistics.operating_point import OperatingPoint
from tasks.statistics.recalibration import Recalibration

if TYPE_CHECKING:
    import keras

    from tasks.common.params.compress import Compress

IN_FLOAT = (0, 1, 2, 4, 8, 16)  # how many layers are tried
SHOWN = 16  # images that show which layers are sensitive


@dataclass(frozen=True)
class Side:
    """Val or test: images `(N, H, W, C)`, targets `(N, K)` and patients `(N,)`."""

    images: Images
    targets: Array
    groups: NDArray[np.str_]


@dataclass(frozen=True)
class Network:
    """What is to be served.

    Attributes:
        model: in which one dense layer follows the average of the maps.
        logits: that layer's name.
        maps: the name of the layer that a heatmap looks at.
        kind: of the task.
        point: the operating point, in terms of the scores as the network gives them.
        val: what the files are fitted and held to.
        seen: the views at test time, `(V, 8)` as `test_time.averaged` takes them.
        extractor: the graph from pixels to the maps, where Keras does not know it.
    """

    model: keras.Model
    logits: str
    maps: str
    kind: str
    point: OperatingPoint
    val: Side
    seen: NDArray[np.float32]
    extractor: bytes | None = None

    @property
    def weights(self) -> NDArray[np.float32]:
        """Of the dense layer, `(channels, K)`."""
        weights: NDArray[np.float32] = self.model.get_layer(self.logits).get_weights()[0]
        return weights


@dataclass(frozen=True)
class Candidate:
    """A whole file, the recalibration inside it, the operating point in terms of its scores, and
    its scores `(N, K)` of one side, of val as it is made.
    """

    path: Path
    recalibration: Recalibration
    point: OperatingPoint
    scores: Array

    @property
    def predictions(self) -> Array:
        """At the operating point, `(N, K)` in {0, 1}."""
        return self.point.predict(self.scores)

    def on(self, side: Side) -> Candidate:
        """The same file with its scores of another side."""
        scores = Session(self.path).scores(side.images).astype(np.float64)
        return replace(self, scores=scores)


@dataclass(frozen=True)
class Cost:
    """What int8 costs on a side: of AUROC, and the share of images whose prediction changes."""

    auroc: float
    changed: float

    def within(self, limits: Compress) -> bool:
        """Whether both limits hold; an AUROC that is not defined holds none."""
        return self.auroc <= limits.max_auroc_drop and self.changed <= limits.max_changed


@dataclass(frozen=True)
class Int8:
    """What came of the search: the file, its layers that stayed float, what it costs on val, and
    whether it may serve.
    """

    made: Candidate
    in_float: list[str]
    cost: Cost
    holds: bool


def make(
    network: Network, calibration: Pixels, limits: Compress, folder: Path
) -> tuple[Candidate, Int8 | None]:
    """Write the float and the int8 file into `folder`; equal networks and images give equal bytes.
    Of some graphs that are brought no int8 can be made: then there is none.

    Args:
        network: what is to be served.
        calibration: training images `(N, H, W, C)`, which set the ranges of int8.
        limits: what int8 may cost on val.
        folder: for both.
    """
    with tempfile.TemporaryDirectory() as temporary:
        trunk = Path(temporary) / "trunk.onnx"
        export(network.model, network.logits, network.maps, trunk, network.extractor)
        exact = candidate(network, trunk, folder / FLOAT)
        quantiser = Quantiser(trunk, calibration)
        try:
            return exact, search(network, quantiser, exact, folder / INT8, limits)
        except Exception as error:  # ONNX Runtime's quantiser fails in ways of its own
            if network.extractor is None:
                raise
            print(f"int8 cannot be made: {type(error).__name__}: {error}", flush=True)
            return exact, None


def candidate(network: Network, trunk: Path, target: Path) -> Candidate:
    """Make the file `target` of a trunk, with its own recalibration, fitted on val. The trunk runs
    once: its logits make the scores of the whole file by any recalibration.
    """
    graph = averaged(onnx.load(trunk), network.seen, network.model.input_shape[1:])
    found = logits(graph.SerializeToString(), network.val.images)

    def by(inside: Recalibration) -> Array:
        return head_scores(graph, network.kind, inside, found).astype(np.float64)

    outputs = network.val.targets.shape[1]
    as_they_are = by(recalibration.identity(network.kind, outputs))
    fitted = recalibration.fit(network.kind, network.val.targets, as_they_are)
    onnx.save(complete(graph, network.kind, fitted, network.weights), target)
    return Candidate(target, fitted, moved(network.point, network.kind, fitted), by(fitted))


def moved(point: OperatingPoint, kind: str, found: Recalibration) -> OperatingPoint:
    """The same decisions in terms of recalibrated scores; a threshold that no score or every score
    reaches stays.
    """
    if point.thresholds is None:
        return point
    before = np.array([[*point.thresholds.values()]])
    after = recalibration.apply(kind, before, found)
    pairs = zip(point.thresholds.items(), after[0].tolist(), strict=True)
    return replace(point, thresholds={name: b if 0 < a < 1 else a for (name, a), b in pairs})


def cost(side: Side, exact: Candidate, other: Candidate) -> Cost:
    """What `other` costs, both with their scores of that side."""
    before, after = (auroc(side.targets, found.scores, side.groups) for found in (exact, other))
    changed = (exact.predictions != other.predictions).any(axis=1)
    return Cost(before - after, float(changed.mean()))


def search(
    network: Network, quantiser: Quantiser, exact: Candidate, target: Path, limits: Compress
) -> Int8:
    """The int8 file that may serve with the fewest layers in float, or the last one that was tried.

    Args:
        network: what is to be served.
        quantiser: of its trunk.
        exact: the float file that int8 is held to.
        target: the file.
        limits: what int8 may cost on val.
    """
    trunk, ranked = quantiser.source.with_name("int8_trunk.onnx"), list[str]()
    # Else each layer is tried alone, and transformers that are brought have hundreds of large ones.
    for count in IN_FLOAT if network.extractor is None else IN_FLOAT[:1]:
        if count == 1:
            ranked = quantiser.by_damage(quantiser.images[:SHOWN])
        quantiser.write(trunk, ranked[:count])
        made = candidate(network, trunk, target)
        price = cost(network.val, exact, made)
        found = Int8(made, ranked[:count], price, price.within(limits))
        if found.holds or 4 * count > len(ranked) > 0:
            break
    return found
