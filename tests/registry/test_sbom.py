"""What a version says of the packages that it needs, and of those that it was made with."""

from __future__ import annotations

import json
from importlib import metadata

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from worlds.registry import NAME

from tasks.common.errors import RegistryError
from tasks.registry import package, sbom
from tasks.registry.store import connect

DIGEST = "d" * 64
NEEDS = {
    "a": ["b>=1", "c; extra == 'more'", "d; python_version < '3'"],
    "b": ["a", "e[more]"],
    "e": ["f; extra == 'more'"],
}


@pytest.fixture(scope="module")
def files():
    return sbom.files(NAME, DIGEST, package.requirements())


def names(content):
    return {component["name"] for component in json.loads(content)["components"]}


def test_the_package_has_what_its_requirements_lead_to(files):
    bill = json.loads(files["sbom/package.cdx.json"])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    assert bill["metadata"]["component"]["version"] == DIGEST
    (root,) = (one for one in bill["dependencies"] if one["ref"] == "model")
    assert len(root["dependsOn"]) == len(package.requirements())
    assert f"numpy=={metadata.version('numpy')}" in root["dependsOn"]
    serves, trained = (names(files[f"sbom/{part}.cdx.json"]) for part in ("package", "training"))
    assert {"numpy", "onnxruntime", "flatbuffers", "mlflow-skinny"} <= serves
    assert serves < trained
    assert {"tensorflow", "keras", "mlflow", "prefect"} <= trained - serves


def test_equal_environments_give_equal_bytes(files):
    again = sbom.of_environment.__wrapped__()
    assert json.dumps(again, indent=1) == files["sbom/training.cdx.json"]


def test_licences_are_listed_for_people(files):
    first, second = files[sbom.LICENCES].split("# Where it was trained")
    assert f"| onnxruntime | {metadata.version('onnxruntime')} | MIT |" in first
    assert f"| keras | {metadata.version('keras')} | Apache License 2.0 |" in second
    assert "keras" not in first


def test_extras_and_other_systems_count_only_where_they_are_asked_for(monkeypatch):
    monkeypatch.setattr(metadata, "requires", NEEDS.get)
    assert sbom.reached([Requirement("a")]) == {"a", "b", "e", "f"}
    assert sbom.reached([Requirement("a[more]")]) == {"a", "b", "c", "e", "f"}


def test_where_a_package_came_from_stays_out():
    came = {"type": "distribution", "url": "file:///home/somebody/numpy.whl"}
    about = {"name": "numpy", "version": "1", "licenses": [{"license": {"id": "MIT"}}]}
    assert sbom._described(about | {"externalReferences": [came]}) == about


def test_what_cannot_be_described_is_told(monkeypatch):
    monkeypatch.setattr(sbom, "OPTIONS", ("--no-such-option",))
    with pytest.raises(RegistryError, match=r"unrecognized arguments: --no-such-option\. `make"):
        sbom.of_environment.__wrapped__()


def test_a_version_names_its_bills(champion):
    assert champion.tags["sbom"] == f"runs:/{champion.run_id}/sbom"
    found = {file.path for file in connect().list_artifacts(champion.run_id, "sbom")}
    assert found == {f"sbom/{name}" for name in ("package.cdx.json", "training.cdx.json")} | {
        sbom.LICENCES
    }
    assert f"/artifacts/{sbom.LICENCES}" in champion.description
