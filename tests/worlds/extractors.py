"""Feature extractors as people bring them: ONNX files with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PATCH, WIDTH, HEADS = 8, 16, 2


class Graph:
    """A graph that grows node by node."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)

    def then(self, kind: str, *inputs: str, **options: Any) -> str:
        """Another node; its output."""
        self.nodes.append(helper.make_node(kind, inputs, [f"{kind}_{len(self.nodes)}"], **options))
        return str(self.nodes[-1].output[0])

    def constant(self, value: Any) -> str:
        """Another constant; its name."""
        name = f"Smith_weights.{len(self.constants)}"  # as a file of somebody may call them
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weights(self, *shape: int) -> str:
        """Random ones."""
        spread = 1 / np.sqrt(np.prod(shape[1:]) if len(shape) > 2 else shape[0])
        return self.constant(self._random.normal(0, spread, shape).astype(np.float32))

    def integers(self, *values: int) -> str:
        """Sizes or axes."""
        return self.constant(np.array(values))

    def save(
        self, path: Path, taken: list[Any], output: str, opset: int = 17, **options: Any
    ) -> Path:
        """Write it with `pixels` as its input and one output."""
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "extractor",
            [value("pixels", options.get("kind", TensorProto.FLOAT), taken)],
            [value(output, TensorProto.FLOAT, options.get("gives", ["n", "features"]))],
            self.constants,
        )
        imports = [helper.make_opsetid("", opset)]
        if "domain" in options:
            imports.append(helper.make_opsetid(options["domain"], 1))
        onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
        return path


def convolution(
    path: Path,
    taken: Any = ("n", 3, None, None),
    opset: int = 17,
    channels: int = 3,
    **options: Any,
) -> Path:
    """Five features of each pixel alone, as maps."""
    g = Graph()
    x = g.then("Conv", "pixels", g.weights(5, channels, 1, 1), kernel_shape=[1, 1])
    return g.save(path, list(taken), x, opset, gives=["n", 5, "h", "w"], **options)


def vit(
    path: Path, size: int = 32, channels: int = 3, batch: Any = "n", maps: bool = False
) -> Path:
    """A vision transformer of one block (Dosovitskiy et al. 2021, arXiv 2010.11929), pixels
    `(N, C, H, W)`, to the mean of its tokens, or to all of them as maps `(N, F, h, w)`.
    """
    g, side = Graph(), size // PATCH
    kernel = g.weights(WIDTH, channels, PATCH, PATCH)
    x = g.then("Conv", "pixels", kernel, kernel_shape=[PATCH, PATCH], strides=[PATCH, PATCH])
    first = 1 if batch == 1 else 0  # a file for one image says so inside too
    x = g.then("Reshape", x, g.integers(first, WIDTH, side * side))
    x = g.then("Transpose", x, perm=[0, 2, 1])
    x = g.then("Add", x, g.weights(1, side * side, WIDTH))
    x = g.then("Add", x, _attention(g, _norm(g, x), first, side * side))
    hidden = g.then("MatMul", _norm(g, x), g.weights(WIDTH, 2 * WIDTH))
    hidden = g.then("Mul", hidden, g.then("Sigmoid", hidden))
    x = _norm(g, g.then("Add", x, g.then("MatMul", hidden, g.weights(2 * WIDTH, WIDTH))))
    if maps:
        x = g.then("Transpose", x, perm=[0, 2, 1])
        x = g.then("Reshape", x, g.integers(first, WIDTH, side, side))
    else:
        x = g.then("ReduceMean", x, axes=[1], keepdims=0)
    gives = ["n", WIDTH, side, side] if maps else ["n", WIDTH]
    return g.save(path, [batch, channels, size, size], x, gives=gives)


def _norm(g: Graph, x: str) -> str:
    ones, zeros = (g.constant(np.full(WIDTH, value, np.float32)) for value in (1, 0))
    return g.then("LayerNormalization", x, ones, zeros, axis=-1)


def _attention(g: Graph, x: str, batch: int, tokens: int) -> str:
    def heads(perm: list[int]) -> str:
        y = g.then("MatMul", x, g.weights(WIDTH, WIDTH))
        y = g.then("Reshape", y, g.integers(batch, tokens, HEADS, WIDTH // HEADS))
        return g.then("Transpose", y, perm=perm)

    scores = g.then("MatMul", heads([0, 2, 1, 3]), heads([0, 2, 3, 1]))
    scale = g.constant(np.float32((WIDTH // HEADS) ** -0.5))
    weights = g.then("Softmax", g.then("Mul", scores, scale), axis=-1)
    y = g.then("MatMul", weights, heads([0, 2, 1, 3]))
    y = g.then("Transpose", y, perm=[0, 2, 1, 3])
    y = g.then("Reshape", y, g.integers(batch, tokens, WIDTH))
    return g.then("MatMul", y, g.weights(WIDTH, WIDTH))
