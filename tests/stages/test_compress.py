from __future__ import annotations

import json

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from tasks import compress, evaluate
from tasks.common import paths
from tasks.compression import int8
from tasks.compression.export import export


@pytest.fixture
def network() -> keras.Model:
    """What real backbones are made of: BatchNorm, depthwise convolution, residual, ReLU6."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    pixels = keras.Input((32, 32, 1))
    x = layers.Concatenate()([pixels] * 3)
    x = layers.Conv2D(8, 3, 2, use_bias=False)(layers.Rescaling(1 / 128, -1)(x))
    x = layers.ReLU(6)(layers.BatchNormalization()(x))
    y = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    return keras.Model(pixels, layers.Dense(2, activation="softmax")(layers.Dropout(0.5)(x)))


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 32, 32, 1)).astype(np.uint8)


def test_the_float_file_gives_the_networks_scores(network, images, tmp_path):
    export(network, tmp_path / "float.onnx")
    expected = network.predict(images.astype(np.float32), verbose=0)
    found = int8.score(tmp_path / "float.onnx", images, batch_size=7)
    assert found == pytest.approx(expected, abs=1e-5)


def test_int8_scores_are_close_and_its_weights_are_int8(network, images, tmp_path):
    source, target = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    export(network, source)
    int8.quantise(source, target, images)
    apart = np.abs(int8.score(source, images) - int8.score(target, images))
    assert 0 < apart.max() < 0.05
    graph = onnx.load(target).graph
    assert any(c.data_type == onnx.TensorProto.INT8 and c.dims for c in graph.initializer)
    assert "BatchNormalization" not in {node.op_type for node in graph.node}


def test_equal_networks_give_equal_bytes(network, images, tmp_path):
    """The second export has other counters in its names, as another process would."""
    digests = set()
    for name in ("first", "second"):
        twin = keras.models.clone_model(network)
        twin.set_weights(network.get_weights())
        source, target = tmp_path / f"{name}.onnx", tmp_path / f"{name}.int8.onnx"
        export(twin, source)
        int8.quantise(source, target, images)
        digests.add((source.read_bytes(), target.read_bytes()))
    assert len(digests) == 1


def test_the_file_names_its_input_and_output(network, tmp_path):
    export(network, tmp_path / "float.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "float.onnx")
    assert [(i.name, i.shape) for i in session.get_inputs()] == [("images", ["images", 32, 32, 1])]
    assert [o.name for o in session.get_outputs()] == ["scores"]


def test_calibration_images_are_spread_over_the_training_images():
    rows = np.arange(100, 200)
    assert compress.spread(rows, 4).tolist() == [100, 133, 166, 199]
    assert compress.spread(rows, 1000).tolist() == rows.tolist()


def test_comparison_of_known_scores():
    targets = np.array([[0.0], [1.0], [1.0]])
    found = compress.compare(
        targets,
        np.array([[0.1], [0.6], [0.9]]),
        np.array([[0.5], [0.4], [0.9]]),
        np.array(["a", "b", "c"]),
    )
    assert found == {
        "images": 3,
        "float_auroc": 1.0,
        "int8_auroc": 0.5,
        "max_difference": 0.4,
        "mean_difference": 0.2,
    }


def test_the_stage_measures_both_models_on_test(tiny, capsys, caplog):
    tiny()
    evaluate.main()
    compress.main()
    first = paths.ONNX.read_bytes(), paths.COMPRESSION.read_bytes()
    found = json.loads(paths.COMPRESSION.read_text())
    metrics = json.loads(paths.METRICS.read_text())
    assert found["float_auroc"] == pytest.approx(metrics["test"]["auroc"]["value"], abs=1e-6)
    assert found["int8_auroc"] == pytest.approx(found["float_auroc"], abs=0.05)
    assert (found["images"], found["calibration_images"]) == (40, 8)
    capsys.readouterr()
    compress.main()
    assert (paths.ONNX.read_bytes(), paths.COMPRESSION.read_bytes()) == first
    assert len(capsys.readouterr().out.splitlines()) == 1
    # TensorFlow counts the functions that earlier tests have traced, and may warn of them here.
    assert [record.msg for record in caplog.records if record.name != "tensorflow"] == []
