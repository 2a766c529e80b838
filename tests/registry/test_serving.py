import sys

import numpy as np
import pandas as pd
import pytest
from worlds.registry import NAME, brightness_scores, held_out, new_package

from tasks import predict
from tasks.common import paths
from tasks.common.errors import RegistryError
from tasks.registry import ledger, model_versions, serving
from tasks.registry.store import connect


def test_what_passed_is_found_by_alias_and_number(champion, tmp_path):
    assert serving.package(NAME, "champion", tmp_path / "a")[0] == 1
    number, package = serving.package(NAME, "1", tmp_path / "b")
    assert number == 1
    assert package.digest == ledger.read()[0].model_digest


def test_what_has_not_passed_is_refused_unless_told(champion, tmp_path):
    with pytest.raises(RegistryError, match="version 2: the ledger says nothing about it"):
        serving.package(NAME, "2", tmp_path / "a")
    assert serving.package(NAME, "2", tmp_path / "b", unpassed=True)[0] == 2
    reasons = {"reasons": ["AUROC 0.4 is below the floor 0.8"]}
    digest = serving.package(NAME, "2", tmp_path / "c", unpassed=True)[1].digest
    ledger.append("failed", NAME, 2, digest, reasons)
    with pytest.raises(RegistryError, match=r"AUROC 0\.4 is below the floor 0\.8\. --version"):
        serving.package(NAME, "2", tmp_path / "d")


def test_an_alias_that_was_moved_to_what_never_passed_is_refused(champion, tmp_path):
    connect().set_registered_model_alias(NAME, "champion", "2")
    with pytest.raises(RegistryError, match="received: version 2"):
        serving.package(NAME, "champion", tmp_path)


def test_files_that_were_exchanged_are_refused(champion, files_of, tmp_path):
    (file,) = files_of(1).rglob("float.onnx")
    file.write_bytes(b"another network")
    with pytest.raises(RegistryError, match="nothing about it"):
        serving.package(NAME, "champion", tmp_path)


@pytest.mark.parametrize("wanted", ["9", "nobody"])
def test_a_version_that_is_not_there(champion, tmp_path, wanted):
    with pytest.raises(RegistryError, match=f"number or alias {wanted}; received: none"):
        serving.package(NAME, wanted, tmp_path)


def test_the_command_answers_by_a_registered_version(result, store, monkeypatch):
    version = new_package(result).version
    arguments = ["--version", str(version), "--unpassed", "--paths"]
    monkeypatch.setattr(sys, "argv", ["predict", str(paths.RAW), "out.parquet", *arguments])
    predict.main()
    scores = pd.read_parquet("out.parquet").set_index("path")["score_nodule"]
    found = scores[held_out()["path"]].to_numpy()[:, None]
    np.testing.assert_allclose(found, brightness_scores(held_out(), result), atol=1e-5)


def test_a_version_answers_in_batches_by_its_own_code(result, store, tmp_path):
    package = model_versions.unpack(new_package(result), tmp_path, "").folder
    classifier = serving.load(package, threads=1)
    assert type(classifier).__module__.startswith("medloop_")
    contents = [(paths.RAW / path).read_bytes() for path in held_out()["path"]]
    pixels = np.stack([classifier.pixels(content) for content in contents])
    expected = brightness_scores(held_out(), result)
    np.testing.assert_allclose(classifier.answer(pixels)[["score_nodule"]], expected, atol=1e-5)


def test_a_version_of_before_is_told(tmp_path):
    (tmp_path / "MLmodel").write_text("flavors: {python_function: {artifacts: {}, code: code}}\n")
    with pytest.raises(RegistryError, match="of before, which needs TensorFlow"):
        serving.load(tmp_path)
