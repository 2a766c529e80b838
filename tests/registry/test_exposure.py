import os
import subprocess
import sys

import pytest
from mlflow import MlflowClient
from worlds.project import ROOT
from worlds.registry import write_lock, write_model

from tasks.common import paths
from tasks.common.manifest import of_split, read_manifest
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake.file_ids import Files
from tasks.privacy.pseudonyms import PUBLIC_KEY, Pseudonyms
from tasks.publish import publish
from tasks.registry import exposure, record
from tasks.registry.registration import register


def test_versions_and_runs_that_saw_images_are_named(result, store):
    first = publish(result)
    register(result)
    write_model(b"weights 2")
    write_lock("result 2")
    table = read_manifest()
    training = of_split(table, "train")["image_id"]
    seen, kept = set(training[:2]), table[~table["image_id"].isin(training[:2])]
    kept.to_parquet(paths.MANIFEST)
    publish(result)
    register(result)

    lines = exposure.describe(result, seen)
    assert lines[0].startswith("medloop version 1: trained on 2 of these files, validated on 0")
    assert not [line for line in lines if "version 2" in line]
    assert [line.strip() for line in lines if line.startswith("  ")] == [first]
    recorded = [f for f in record.recorded() if f.suffix == ".html" or list(f.rglob("*.png"))]
    pictured = {str(file) for file in recorded if file != paths.FIGURES}  # curves, no images
    assert all(file in lines[1] for file in pictured), pictured
    pseudonyms = Pseudonyms(PUBLIC_KEY)
    keyed = Files({pseudonyms.image(image_id) for image_id in seen}, pseudonyms)
    assert exposure.describe(result, keyed) == lines  # runs of before ids were keyed
    assert exposure.describe(result, {"0" * 64}) == ["no run and no version of MLflow holds them"]


@pytest.mark.parametrize("before", [1, 5])
def test_a_run_that_ended_while_it_was_filled_is_named_too(result, store, monkeypatch, before):
    left, log_artifact = iter(range(before)), MlflowClient.log_artifact

    def killed(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        log_artifact(*arguments)

    monkeypatch.setattr(MlflowClient, "log_artifact", killed)
    with pytest.raises(KeyboardInterrupt):
        publish(result)
    lines = exposure.describe(result, set(read_manifest()["image_id"]))
    assert lines[0].startswith("these runs hold pictures")
    assert len(lines) == 2


def test_a_workspace_without_records_gets_none(workspace):
    assert "no MLflow store here" in exposure.describe(load(Params), {"0" * 64})[0]
    assert not paths.store().exists()


def test_pull_does_not_import_mlflow(workspace):
    code = "import sys, tasks.pull; sys.exit(bool({'mlflow', 'dvc'} & set(sys.modules)))"
    here = os.environ | {"PYTHONPATH": os.fspath(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=here).returncode == 0
