from __future__ import annotations

import re
import socket

import numpy as np
import pytest
from worlds.validation import SECRET, failed, findings_of, make_world, pack

from tasks.checks import comparisons
from tasks.common import documents, editing, manifest, paths
from tasks.common.errors import ValidationError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.validate import check, main


@pytest.fixture
def world(workspace):
    return make_world()


def run_on(table):
    """The stage on this manifest."""
    manifest.write(table, paths.MANIFEST, manifest.MANIFEST)
    documents.write_json(paths.PACK, pack())
    main()


BREACHES = {
    "show something": ("std", 0.5),
    "The mean of each image": ("mean", 254.0),
    "pixels high": ("height", 8),
    "pixels wide": ("width", 8),
    "one of task.classes": ("label", "other"),
    "splits are train, val and test": ("split", "holdout"),
    "has a split": ("split", None),
    "pixels of its own": ("row", 1),
    "at most as many splits": ("group", f"{SECRET}-0"),
}


def test_every_breach_is_found_and_its_row_named(world):
    for row, (column, value) in enumerate(BREACHES.values(), start=20):
        world.loc[row, column] = value
    found = failed(world)
    assert len(found) == len(BREACHES)
    for row, says in enumerate(BREACHES, start=20):
        (rows,) = (finding.rows for finding in found if says in finding.says)
        assert world["image_id"][row] in rows
        assert len(rows) == (2 if says in ("pixels of its own", "at most as many splits") else 1)


IMAGES_OF_BOTH = "Each split has validate.min_images_per_class images with and without each class"
PATIENTS_OF_BOTH = "Each split has images with and without each class of 2 patients at least"


def test_both_outcomes_count_in_images_and_in_patients(world):
    """71 of 73 of a test with a finding are no test of it, nor are many images of one patient."""
    asked = {"task.kind": "multilabel", "task.classes": ["a", "b"]}
    editing.set_values(paths.PARAMS, asked | {"validate.min_images_per_class": 5})
    world["label"] = ["a|b", "a", "b", ""] * 15
    assert failed(world, only=["classes"]) == []
    test = world.index[world["split"] == "test"]
    world.loc[test, "label"] = [*["a|b"] * 5, *["a"] * 5, "", ""]
    (found,) = failed(world, only=["classes"])
    assert (found.says, found.rows) == (IMAGES_OF_BOTH, ["without a in test"])
    assert found.limits == {"min_value": 5}
    world.loc[test, "label"] = [*["a|b"] * 5, *["a"] * 1, *[""] * 6]
    val = world.index[world["split"] == "val"]
    world.loc[val, "label"] = [*["a|b"] * 2, *["a"] * 5, *["b"] * 5]
    world.loc[val[7:], "group"] = world["group"][val[7]]
    (found,) = failed(world, only=["classes"])
    assert (found.says, found.rows) == (PATIENTS_OF_BOTH, ["without a in val"])


def test_the_classes_of_a_binary_task_are_the_two_outcomes(world):
    test = world.index[world["split"] == "test"]
    world.loc[test, "label"] = ["sane", *["sick"] * (len(test) - 1)]
    found = failed(world, only=["classes"])
    assert [finding.rows for finding in found] == [["sane in test"]] * 2


def test_what_a_leak_costs_is_no_fault_of_the_images(world):
    """It was asked for by split.on_leak; whether enough is left is asked by class."""
    world.loc[:5, "status"] = "quarantined"
    world.loc[:5, "reason"] = manifest.LEAK
    (warning,) = [finding for finding in findings_of(world, only=["images"]) if not finding.passed]
    assert (warning.severity, warning.says) == ("warning", "No image is quarantined")
    world.loc[:5, "reason"] = "too dark"
    assert failed(world, only=["images"])[0].observed == pytest.approx(0.1)


def test_tables_as_a_whole(world):
    """A class that val lacks, too much quarantine, and a pack of another size and count."""
    world.loc[world["split"] == "val", "label"] = "sane"
    world.loc[:5, ["status", "row"]] = ["quarantined", -1]
    found = {finding.says: finding for finding in failed(world, pack(61, (100, 224, 3)))}
    assert len(found) == 6
    for says in (IMAGES_OF_BOTH, PATIENTS_OF_BOTH):
        assert found[says].rows == ["sick in val"]
    share = next(finding for says, finding in found.items() if "preprocess.max_quarantined" in says)
    assert share.observed == pytest.approx(0.1)
    assert share.limits == {"max_value": 0.05}
    assert "The pack holds as many images as the manifest" in found
    assert "The pack's images are as high as preprocess.size says" in found
    assert "The pack's images have the channels of preprocess.color" in found


def test_who_was_withdrawn_or_left_out_by_a_person_is_not_missing(world):
    """Nothing about them can be fixed at the source."""
    world.loc[:5, ["status", "row"]] = ["quarantined", -1]
    world.loc[:5, "reason"] = [manifest.WITHDRAWN, manifest.REPLACED, manifest.EXCLUDED] * 2
    assert [
        finding
        for finding in findings_of(world, pack(54), ["images", "pack"])
        if not finding.passed
    ] == []


def test_patients_in_two_splits_are_a_warning_with_report(world):
    world.loc[3, "group"] = world["group"][9]
    assert len(failed(world, only=["usable_images"])) == 1
    editing.set_values(paths.PARAMS, {"split.on_leak": "report"})
    (warning,) = [
        finding for finding in findings_of(world, only=["usable_images"]) if not finding.passed
    ]
    assert warning.severity == "warning"
    assert "figures on test flatter" in warning.says
    assert len(warning.rows) == 2


def test_error_names_expectation_rows_and_remedy(world):
    world.loc[[4, 5], "std"] = 0.0
    with pytest.raises(ValidationError) as caught:
        check(findings_of(world, only=["usable_images"]))
    told = str(caught.value)
    assert "1 of 10 critical expectations do not hold" in told
    assert "Images show something" in told
    assert "required: 2 or more; received: 2 rows: 000000000000" in told
    assert "validate.min_contrast" in told
    assert str(paths.FINDINGS_PAGE) in told


def test_stage_writes_a_page_without_patients_and_the_same_verdict(world, capsys):
    run_on(world)
    results = (paths.VALIDATION, paths.DRIFT, paths.SHORTCUTS)
    first = [path.read_bytes() for path in results]
    verdict = documents.read_json(paths.VALIDATION)
    assert verdict["pixels"] == "d" * 64
    assert verdict["warnings"] == []
    nothing = {"compared": {}, "limit": 0.5, "by_field": {}, "sides": {}}
    assert documents.read_json(paths.DRIFT) == nothing
    main()
    assert [path.read_bytes() for path in results] == first
    assert not re.search(rb"\d{4}-\d\d-\d\d", first[0])
    page = paths.FINDINGS_PAGE.read_text()
    assert "Images show something" in page
    assert SECRET not in page
    assert not paths.DATA_DOCS.exists()
    out, err = capsys.readouterr()
    assert out.count("\n") == 2
    assert err == ""


def test_failed_stage_leaves_its_page_but_no_verdict(world, capsys):
    world.loc[3, ["std", "group"]] = [0.0, world["group"][9]]
    with pytest.raises(SystemExit):
        run_on(world)
    assert not paths.VALIDATION.exists()
    told = documents.read_json(paths.FINDINGS)
    assert not told["passed"]
    assert len(told["warnings"]) == 3
    page = paths.FINDINGS_PAGE.read_text()
    assert world["image_id"][3] in page
    assert SECRET not in page
    assert SECRET not in capsys.readouterr().err


def test_warnings_stop_nothing_and_stay_visible(world, capsys):
    """Images without a patient, and a scanner that goes along with the label."""
    world.loc[:5, "patient_id"] = None
    world["device"] = np.where(world["label"] == "sick", "one", "other")
    run_on(world)
    warnings = documents.read_json(paths.VALIDATION)["warnings"]
    assert [warning["table"] for warning in warnings] == ["images", "shortcuts"]
    assert warnings[1]["found"] == "2 rows: all at once, device"
    assert [warning["report"] for warning in warnings] == ["reports/split.json", None]
    out = capsys.readouterr().out
    assert out.count("Warning, this does not hold") == 2
    assert "21 of 23 expectations hold" in out
    found = documents.read_json(paths.SHORTCUTS)["by_field"]
    assert found["device"]["auroc"] == 1.0


def test_the_newest_batch_is_compared_with_those_before(world):
    world.loc[40:, ["batch", "mean"]] = [2, 90.0]
    world.loc[20:39, "batch"] = 1
    world["modality"] = np.where(world["batch"] == 2, "MR", "CT")
    run_on(world)
    found = documents.read_json(paths.DRIFT)
    assert found["compared"]["batch"] == 2
    assert found["compared"]["images_before"] == 40
    assert next(iter(found["by_field"])) == "modality"
    assert found["by_field"]["modality"]["after"] == "CT: 0.0%"
    (warning,) = documents.read_json(paths.VALIDATION)["warnings"]
    assert warning["table"] == "drift"
    assert "modality" in warning["found"]


def test_the_sides_of_the_source_are_compared(world):
    """The test was taken elsewhere, and the last of val with it."""
    world["source_split"] = world["split"]
    world["bits"] = np.where(world["split"] == "test", 16, 12)
    world["site"] = np.where(world["split"] == "test", "north", "south")
    run_on(world)
    found = documents.read_json(paths.DRIFT)["sides"]
    assert list(found) == ["val against train", "test against train"]
    assert found["test against train"]["images"] == 12
    assert found["test against train"]["patients_before"] == 36
    site = found["test against train"]["by_field"]["site"]
    assert (site["before"], site["after"]) == ("north: 0.0%", "north: 100.0%")
    assert site["effect"] == pytest.approx(np.pi, abs=1e-3)
    assert found["val against train"]["by_field"]["site"]["effect"] == 0
    (warning,) = documents.read_json(paths.VALIDATION)["warnings"]
    assert warning["table"] == "sides"
    assert warning["found"] == "2 rows: test: bits, test: site"


TELLING = {
    "age_band": ("70-79", "40-49"),
    "sex": ("F", "M"),
    "slice_modality": ("ultrasound", "mammography"),
}


@pytest.mark.parametrize("field", TELLING)
def test_patients_and_slices_take_part_in_the_audit_of_shortcuts(world, field):
    """A column that pull.slices keeps tells of the label as well as a header does."""
    sick, sane = TELLING[field]
    world[field] = np.where(world["label"] == "sick", sick, sane)
    (warning,) = failed(world, severity="warning", only=["shortcuts"])
    assert warning.rows == ["all at once", field]


def test_a_batch_like_those_before_does_not_drift(world):
    world["batch"] = [0, 0, 0, 0, 1] * 12
    compared, found = comparisons.batches(world, load(Params).task)
    assert compared["images"] == 12
    assert found.set_index("field").loc["class sick", "before"] == "with: 50.0%"
    assert not (found["effect"] > found["chance"]).any()


def test_sound_data_pass_and_nothing_is_sent(world, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert failed(world) == []
