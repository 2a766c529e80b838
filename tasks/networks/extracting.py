"""A feature extractor that is no Keras graph, as a frozen layer.

ONNX Runtime computes it, on the processor and with as many threads as the backend. A saved network
holds the whole graph, so that whoever loads one needs no other file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.common import digests, weights_file
from tasks.common.errors import WeightsError
from tasks.graphs import running
from tasks.networks import device

if TYPE_CHECKING:
    import onnxruntime

    from tasks.common.params.model import Model
    from tasks.common.params.pixels import PixelSettings

FILE = "graph.onnx"  # within a `.keras` file


@keras.saving.register_keras_serializable("medloop")
class Extracting(keras.layers.Layer):  # type: ignore[misc]  # keras ships no types
    """Pixels `(N, H, W, C)` from 0 to 255 to maps `(N, h, w, F)`, by a graph of `graphs.extractor`.

    Attributes:
        digest: of the graph, normalisation included; part of the keys of what is stored.
        maps: `(h, w, F)`.
        graph: serialised; empty until a saved layer has read its own.
    """

    def __init__(self, digest: str, maps: Sequence[int], graph: bytes = b"", **options: Any):
        super().__init__(**options)
        self.digest, self.maps, self.graph = digest, list(maps), graph

    @property
    def computed_by(self) -> str:
        """What else its results depend on."""
        return running.runtime()

    def call(self, pixels: Any) -> Any:
        """The maps of a batch."""
        return device.backend.on_host(self._run, pixels, tuple(self.maps))

    def compute_output_spec(self, pixels: keras.KerasTensor) -> keras.KerasTensor:
        """Known beforehand, so that the graph need not be there."""
        return keras.KerasTensor((pixels.shape[0], *self.maps), "float32")

    def get_config(self) -> dict[str, Any]:
        """All but the graph, which is a file of its own."""
        return {**super().get_config(), "digest": self.digest, "maps": list(self.maps)}

    def save_assets(self, folder: str) -> None:
        """Called by Keras with a folder for this layer alone."""
        (Path(folder) / FILE).write_bytes(self.graph)

    def load_assets(self, folder: str) -> None:
        """The same.

        Raises:
            WeightsError: it is not the graph that was saved.
        """
        self.graph = (Path(folder) / FILE).read_bytes()
        if digests.of_bytes(self.graph) != self.digest:
            raise WeightsError(
                "required: the feature extractor that this network was saved with; received: "
                "another. The file is damaged: `dvc repro` makes it anew"
            )

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return running.session(self.graph, device.backend.threads())

    def _run(self, pixels: Any) -> NDArray[np.float32]:
        given = np.ascontiguousarray(pixels, np.float32)
        found: NDArray[np.float32] = self._session.run(None, {"images": given})[0]
        return found


def layer(model: Model, preprocess: PixelSettings, name: str) -> Extracting:
    """The layer of `model.backbone: onnx`.

    Raises:
        WeightsError: the file behind `model.weights` is missing or no such graph.
        ParameterError: it does not take such images.
    """
    from tasks.graphs import extractor  # which reads ONNX; other networks need none to be built

    path = weights_file.named(model.weights)
    assert path is not None  # held by the section
    assert model.onnx is not None
    channels = 1 if preprocess.color == "grey" else 3
    found = extractor.load(path, model.onnx, preprocess.size, channels)
    return Extracting(digests.of_bytes(found.graph), found.shape, found.graph, name=name)


def parameters(network: keras.Model) -> int:
    """How many numbers a network has learnt, here and elsewhere."""
    graph, own = graph_of(network), int(network.count_params())
    if graph is None:
        return own
    from tasks.graphs import extractor

    return own + extractor.parameters(graph)


def graph_of(network: keras.Model) -> bytes | None:
    """The graph of a network's extractor, where it has one."""
    found = [layer.graph for layer in network.layers if isinstance(layer, Extracting)]
    return found[0] if found else None
