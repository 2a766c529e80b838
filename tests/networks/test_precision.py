import numpy as np
import pytest

from tasks.networks import device, files, keys, precision
from tasks.networks.layers import cut
from tasks.networks.scoring import score

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 1)).astype(np.uint8)


def types(model):
    return {layer.name: layer.compute_dtype for layer in model.layers}


def test_the_backbone_alone_computes_in_bfloat16(make):
    model = make()
    with precision.computing(model, "mixed_bfloat16"):
        found = types(model)
        assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
        assert cut(model, "dropout")[0](IMAGES).dtype == model(IMAGES).dtype == "float32"
    halved = {name for name, kind in found.items() if kind == "bfloat16"}
    assert {"stem_conv", "block0_depthwise_bn", "top_relu"} <= halved
    whole = {"pixels", "channels", "normalise", "pooled", "dropout", "logits", "scores"}
    assert set(found) - halved == whole


def test_what_is_saved_knows_nothing_of_it(make, tmp_path):
    model = make(weights="imagenet")
    expected = score(model, IMAGES)
    files.save(model, tmp_path / "before.keras")
    with precision.computing(model, "mixed_bfloat16"):
        mixed = score(model, IMAGES)
    assert 0 < np.abs(mixed - expected).max() < 0.03
    files.save(model, tmp_path / "after.keras")
    assert (tmp_path / "after.keras").read_bytes() == (tmp_path / "before.keras").read_bytes()
    assert np.array_equal(score(files.load(tmp_path / "after.keras"), IMAGES), expected)


def test_keys_tell_it_apart(make):
    model = make()
    plain = keys.of_model(model)
    with precision.computing(model, "mixed_bfloat16"):
        assert keys.of_model(model) != plain
    assert keys.of_model(model) == plain


@pytest.mark.parametrize(("gains", "expected"), [(True, "mixed_bfloat16"), (False, "float32")])
def test_auto_asks_the_device(monkeypatch, gains, expected):
    monkeypatch.setattr(device.backend, "gains_from_bfloat16", lambda: gains)
    assert precision.chosen("auto") == expected
    assert precision.chosen("float32") == "float32"


@pytest.mark.skipif(bool(device.backend.gpus()), reason="this machine has a GPU")
def test_a_cpu_gains_nothing():
    assert precision.chosen("auto") == "float32"
