"""Files that somebody brings: what is taken, and what is refused with what fixes it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from worlds.extractors import WIDTH, Graph, convolution, vit

from tasks.common.errors import ParameterError, WeightsError
from tasks.common.params.model import OnnxPixels
from tasks.graphs import extractor, running

IMAGENET = OnnxPixels(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
GREY = OnnxPixels(mean=[0.5], std=[0.25])
SIZE = (32, 32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "features.onnx"


def load(path, pixels=GREY, channels=1):
    return extractor.load(path, pixels, SIZE, channels)


def run(found, images):
    return running.session(found.graph).run(["maps"], {"images": images.astype(np.float32)})[0]


def test_pixels_are_normalised_and_laid_out_as_the_file_wants(path):
    found = load(convolution(path), IMAGENET, channels=3)
    images = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3))
    mean, std = (np.array(x) for x in (IMAGENET.mean, IMAGENET.std))
    (kernel,) = onnx.load(path).graph.initializer
    weights = onnx.numpy_helper.to_array(kernel)[:, :, 0, 0]
    expected = ((images / 255 - mean) / std) @ weights.T
    assert found.shape == (*SIZE, 5)
    np.testing.assert_allclose(run(found, images), expected, atol=1e-5)


def test_a_file_for_grey_images_and_one_with_its_channels_last(path):
    assert load(vit(path, channels=1)).shape == (1, 1, WIDTH)
    g = Graph()
    x = g.then("MatMul", "pixels", g.weights(3, 7))
    g.save(path, ["n", None, None, 3], x, gives=["n", "h", "w", 7])
    assert load(path).shape == (*SIZE, 7)


def test_equal_files_give_equal_bytes_without_the_names_of_others(path, tmp_path):
    found = load(vit(path))
    assert load(vit(tmp_path / "twin.onnx")).graph == found.graph
    assert b"Smith" in path.read_bytes()
    assert b"Smith" not in found.graph


def test_a_file_for_one_image_serves_many_where_nothing_inside_says_one(path):
    found = load(convolution(path, taken=(1, 3, *SIZE)))
    images = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 1))
    np.testing.assert_allclose(run(found, images)[1:2], run(found, images[1:2]), atol=1e-6)


def test_a_file_for_one_image_alone_is_refused(path):
    with pytest.raises(WeightsError, match=r"each of several images.*dynamic_axes"):
        load(vit(path, batch=1))


def test_a_file_that_mixes_images_is_refused(path):
    g = Graph()
    x = g.then("ReduceMean", "pixels", axes=[2, 3], keepdims=0)
    x = g.then("Sub", x, g.then("ReduceMean", x, axes=[0], keepdims=1))  # as in training mode
    g.save(path, ["n", 3, None, None], x)
    with pytest.raises(WeightsError, match=r"evaluation mode"):
        load(path)


def test_another_size_is_refused_with_both(path):
    with pytest.raises(ParameterError, match=r"preprocess\.size: required \[64, 64\].*\[32, 32\]"):
        load(vit(path, size=64))


def test_three_means_of_one_channel_are_refused(path):
    with pytest.raises(ParameterError, match=r"model\.onnx: required one number"):
        load(vit(path, channels=1), IMAGENET)


def test_colours_into_one_channel_are_refused(path):
    with pytest.raises(ParameterError, match=r"preprocess\.color: required grey"):
        load(vit(path, channels=1), channels=3)


def no_file(path):
    path.write_bytes(b"Gradient descent" * 9)


def empty(path):
    path.write_bytes(b"")


def external(path):
    onnx.save(onnx.load(vit(path)), path, save_as_external_data=True, size_threshold=64)


def two_outputs(path):
    model = onnx.load(vit(path))
    model.graph.output.append(model.graph.output[0])
    model.graph.output[1].name = model.graph.node[0].output[0]
    onnx.save(model, path)


def tokens(path):
    g = Graph()
    g.save(path, ["n", 3, None, None], g.then("ReduceMean", "pixels", axes=[3], keepdims=0))


def half(path):
    convolution(path, kind=TensorProto.FLOAT16)


def old(path):
    convolution(path, opset=11)


def custom(path):
    g = Graph()
    x = g.then("DeformConv", "pixels", domain="mmdeploy")
    g.save(path, ["n", 3, None, None], x, domain="mmdeploy")


def branched(path):
    g = Graph()
    value = onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = onnx.helper.make_node("Identity", ["pixels"], ["y"])
    branch = onnx.helper.make_graph([node], "branch", [], [value])
    x = g.then("If", g.constant(np.array(True)), then_branch=branch, else_branch=branch)
    g.save(path, ["n", 3, None, None], x)


def not_finite(path):
    g = Graph()
    x = g.then("ReduceMean", "pixels", axes=[2, 3], keepdims=0)
    g.save(path, ["n", 3, None, None], g.then("Div", x, g.constant(np.float32(0))))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (no_file, "required an ONNX file"),
        (empty, "required an ONNX file"),
        (external, r"in the one file.*external_data=False"),
        (two_outputs, r"one output; received 2"),
        (tokens, r"maps \(N, F, h, w\)"),
        (half, r"float32 input; received FLOAT16"),
        (old, r"opset 13.*opset 11.*opset_version=17"),
        (custom, r"ONNX standard; received mmdeploy\.DeformConv"),
        (branched, r"without loops and conditions; received If"),
        (not_finite, r"finite features"),
        (lambda path: convolution(path, ("n", 4, None, None), channels=4), "1 or 3 channels"),
        (lambda path: convolution(path, channels=8), r"runs on an image of 32 x 32"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_fixes_it(path, make, told):
    make(path)
    with pytest.raises(WeightsError, match=f"model.weights: .*{told}"):
        load(path)
