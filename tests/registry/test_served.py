import numpy as np
import pytest
from worlds.registry import brightness_scores, held_out, new_package

from tasks.common import paths
from tasks.common.errors import RegistryError
from tasks.registry import model_versions, served


def test_a_version_answers_in_batches_by_its_own_code(result, store, tmp_path):
    package = model_versions.unpack(new_package(result), tmp_path, "").folder
    classifier = served.load(package, threads=1)
    assert type(classifier).__module__.startswith("medloop_")
    contents = [(paths.RAW / path).read_bytes() for path in held_out()["path"]]
    pixels = np.stack([classifier.pixels(content) for content in contents])
    expected = brightness_scores(held_out(), result)
    np.testing.assert_allclose(classifier.answer(pixels)[["score_nodule"]], expected, atol=1e-5)


def test_a_version_of_before_is_told(tmp_path):
    (tmp_path / "MLmodel").write_text("flavors: {python_function: {artifacts: {}, code: code}}\n")
    with pytest.raises(RegistryError, match="of before, which needs TensorFlow"):
        served.load(tmp_path)
