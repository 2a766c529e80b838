from __future__ import annotations

import re
import socket

import numpy as np
import pandas as pd
import pytest

from tasks import documents, edit, manifest, params, paths
from tasks.data_docs import examine
from tasks.errors import ValidationError
from tasks.expectations import suites, tables
from tasks.validate import check, main

SECRET = "pseudonym-of-a-patient"


@pytest.fixture
def world(workspace):
    """A manifest of 60 images that meets every expectation, and its pack's receipt."""
    edit.set_values(paths.PARAMS, {"task.classes": ["sane", "sick"]})
    count = 60
    table = pd.DataFrame(
        {
            "image_id": [f"{k:064x}" for k in range(count)],
            "patient_id": [f"{SECRET}-{k}" for k in range(count)],
            "batch": 0,
            "label": ["sane", "sick"] * (count // 2),
            "height": 300,
            "width": 200,
            "mean": np.linspace(40, 200, count),
            "std": 30.0,
            "status": "ok",
            "reason": None,
            "row": range(count),
            "split": (["train"] * 6 + ["val"] * 2 + ["test"] * 2) * (count // 10),
        }
    )
    table["group"] = table["patient_id"]
    return table


def pack(count=60, shape=(224, 224, 1)):
    return {"key": "k", "digest": "d" * 64, "shape": [count, *shape], "dtype": "uint8"}


def findings_of(table, receipt=None):
    settings = params.load()
    return examine(
        tables(table, receipt or pack(), settings.task),
        suites(settings.validate_, settings.preprocess, settings.split.on_leak),
        documents.fresh_folder(paths.DATA_DOCS),
    )


def failed(table, receipt=None):
    return [finding for finding in findings_of(table, receipt) if not finding.passed]


BREACHES = {
    "show something": ("std", 0.5),
    "neither black nor white": ("mean", 254.0),
    "pixels high": ("height", 8),
    "pixels wide": ("width", 8),
    "one of task.classes": ("label", "other"),
    "splits are train, val and test": ("split", "holdout"),
    "has a split": ("split", None),
    "pixels of its own": ("row", 1),
    "in two splits": ("group", f"{SECRET}-0"),
}


def test_every_breach_is_found_and_its_row_named(world):
    for row, (column, value) in enumerate(BREACHES.values(), start=20):
        world.loc[row, column] = value
    found = failed(world)
    assert len(found) == len(BREACHES)
    for row, says in enumerate(BREACHES, start=20):
        (rows,) = (finding.rows for finding in found if says in finding.says)
        assert world["image_id"][row] in rows
        assert len(rows) == (2 if says in ("pixels of its own", "in two splits") else 1)


def test_tables_as_a_whole(world):
    """A class that val lacks, too much quarantine, and a pack of another size and count."""
    world.loc[world["split"] == "val", "label"] = "sane"
    world.loc[:5, ["status", "row"]] = ["quarantined", -1]
    found = {finding.says: finding for finding in failed(world, pack(61, (100, 224, 3)))}
    assert len(found) == 5
    assert found["Each split has 5 images a class"].rows == ["sick in val"]
    assert found["At most 5.0% of the images are quarantined"].observed == pytest.approx(0.1)
    assert "The pack holds as many images as the manifest" in found
    assert "The pack's images are 224 pixels high" in found
    assert "The pack's images are grey" in found


def test_patients_may_be_in_two_splits_only_with_report(defaults):
    for mode, expected in {"fail": True, "move": True, "report": False}.items():
        expectations = suites(defaults.validate_, defaults.preprocess, mode)["usable images"]
        assert expected == any("No patient" in e.description for e in expectations)


def test_error_names_expectation_rows_and_remedy(world):
    world.loc[[4, 5], "std"] = 0.0
    with pytest.raises(ValidationError) as caught:
        check(findings_of(world))
    told = str(caught.value)
    assert "1 of 16 expectations do not hold" in told
    assert "Images show something" in told
    assert "2 rows: 000000000000" in told
    assert "validate.min_contrast" in told
    assert str(paths.DATA_DOCS) in told


def test_stage_writes_docs_without_patients_and_the_same_verdict(world, capsys):
    manifest.write(world, paths.MANIFEST, manifest.MANIFEST)
    documents.write_json(paths.PACK, pack())
    main()
    verdict = paths.VALIDATION.read_bytes()
    assert documents.read_json(paths.VALIDATION)["pixels"] == "d" * 64
    main()
    assert paths.VALIDATION.read_bytes() == verdict
    assert not re.search(rb"\d{4}-\d\d-\d\d", verdict)
    pages = list(paths.DATA_DOCS.rglob("*.html"))
    assert len(list(paths.DATA_DOCS.glob("validations/**/*.html"))) == 4
    assert not any(SECRET in page.read_text() for page in pages)
    out, err = capsys.readouterr()
    assert out.count("\n") == 2
    assert err == ""


def test_failed_stage_leaves_docs_but_no_verdict(world, capsys):
    world.loc[3, ["std", "group"]] = [0.0, world["group"][9]]
    manifest.write(world, paths.MANIFEST, manifest.MANIFEST)
    documents.write_json(paths.PACK, pack())
    with pytest.raises(SystemExit):
        main()
    assert not paths.VALIDATION.exists()
    assert world["image_id"][3] in "".join(p.read_text() for p in paths.DATA_DOCS.rglob("*.html"))
    assert not any(SECRET in page.read_text() for page in paths.DATA_DOCS.rglob("*.html"))
    assert SECRET not in capsys.readouterr().err


def test_sound_data_pass_and_nothing_is_sent(world, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert failed(world) == []
