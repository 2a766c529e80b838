"""Predicting many files, with a package of its own in place of one from the registry."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest
from worlds.dicom_files import make_dicom
from worlds.project import ROOT, environment
from worlds.serving import write_package

from tasks import predict
from tasks.common import documents, paths
from tasks.common.errors import WorkspaceError
from tasks.common.locks import held
from tasks.registry import serving
from tasks.registry.model_versions import Package
from tasks.serving import bulk, packing

SURNAME = "Quillfeather"
SIZE = 32
# The command as it is, but for the registry, that ends by SIGKILL once so many parts are written.
KILLED = """
import os, signal, sys, threading
from pathlib import Path
from tasks import predict
from tasks.common import documents
from tasks.registry import serving
from tasks.registry.model_versions import Package
package = Path(sys.argv.pop(1))
serving.package = lambda *_: (3, Package(package, "a digest"))
replace, written, alone = documents.replace, [], threading.Lock()
def replace_and_die(path, write):
    with alone:
        replace(path, write)
        written.append(path)
        if len(written) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
documents.replace = replace_and_die
predict.main()
"""


def picture(brightness: int) -> bytes:
    pixels = np.full((40, 40), brightness, np.uint8)
    pixels[0, 0] += 1  # no contrast at all is no picture
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A package as MLflow lays it down."""
    folder = tmp_path_factory.mktemp("package")
    write_package(folder)
    documents.write_json(
        folder / "MLmodel",
        {
            "flavors": {
                "python_function": {
                    "data": "serving",
                    "code": "code",
                    "loader_module": packing.loader(folder / "code"),
                }
            }
        },
    )
    return folder


@pytest.fixture
def ask(workspace, packed, monkeypatch):
    """Predict with such arguments; the table in OUTPUT, where that is its second argument."""
    asked = []

    def package(name, wanted, folder, unpassed):
        asked.append((wanted, unpassed))
        return 3, Package(packed, "a digest")

    monkeypatch.setattr(serving, "package", package)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["predict", *map(str, arguments)])
        predict.main()
        output = next((a for a in map(str, arguments[1:]) if not a.startswith("-")), None)
        read = pd.read_csv if output is None or output.endswith("csv") else pd.read_parquet
        return read(output or "predictions.csv")

    run.asked = asked
    return run


@pytest.fixture
def images(tmp_path):
    """A tree of good and bad files, whose names identify."""
    folder = tmp_path / "images"
    (folder / SURNAME).mkdir(parents=True)
    (folder / "a.png").write_bytes(picture(30))
    (folder / "b.png").write_bytes(picture(220))
    (folder / f"{SURNAME}.txt").write_text("no picture")
    stored = np.full((40, 40), 220, np.uint8)
    stored[0] = 0
    (folder / SURNAME / "IM0001").write_bytes(make_dicom(stored, PatientName=SURNAME))
    (folder / ".hidden").write_bytes(picture(90))
    return folder


def test_each_file_has_a_row_with_its_answer_or_a_reason(ask, images, capsys):
    table = ask(images, "out.parquet", "--version", "7", "--unpassed")
    assert list(table) == [
        *("row", "image_id", "prediction", "score_nodule", "conformal_set", "reason")
    ]
    assert table["row"].tolist() == [1, 2, 3, 4]
    names = ["nodule", None, "no_nodule", "nodule"]  # in the order of the paths
    assert [None if pd.isna(x) else x for x in table["prediction"]] == names
    assert table["reason"].dropna().tolist() == ["neither PNG, JPEG, TIFF, BMP nor DICOM"]
    brightness = np.array([220 * 39 / 40, np.nan, 30, 220]) / 255
    expected = 1 / (1 + np.exp(20 * (0.25 - brightness)))
    np.testing.assert_allclose(table["score_nodule"], expected, atol=2e-3)
    assert table["image_id"].nunique() == 4
    assert ask.asked == [("7", True)]
    printed = capsys.readouterr().out
    assert "without an answer: 1, neither PNG, JPEG, TIFF, BMP nor DICOM (row 2)" in printed
    assert "passed by: 1 files that are hidden" in printed
    assert not list(paths.root().glob(".*.parts"))


def test_nothing_identifies_unless_asked(ask, images, capsys):
    text = ask(images, "out.csv").to_csv()
    assert SURNAME not in text + capsys.readouterr().out
    assert ask(images, "out.csv", "--paths")["path"].tolist() == [
        *(f"{SURNAME}/IM0001", f"{SURNAME}.txt", "a.png", "b.png")
    ]


def test_a_file_and_an_archive_are_answered_as_a_folder_is(ask, images, tmp_path):
    table = ask(images)
    archive = shutil.make_archive(str(tmp_path / "packed"), "gztar", images)
    pd.testing.assert_frame_equal(ask(archive), table)
    assert not list(paths.StateEntry.DOWNLOADS.path.rglob("*.png"))
    alone = ask(images / "b.png")
    assert alone["image_id"][0] == table["image_id"][3]
    assert alone["score_nodule"][0] == pytest.approx(table["score_nodule"][3], abs=1e-6)


def test_a_kill_loses_and_doubles_no_row(ask, packed, tmp_path, capsys, monkeypatch):
    many = tmp_path / "many"
    many.mkdir()
    for number in range(60):
        (many / f"{number}.png").write_bytes(picture(20 + 3 * number))
    command = [sys.executable, "-c", KILLED, str(packed), str(many), "out.parquet"]
    done = subprocess.run(command, env=environment(PYTHONPATH=str(ROOT)), capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (home,) = paths.root().glob(".out.parquet.parts")
    before = {part.name: part.stat().st_mtime_ns for part in home.rglob("*.parquet")}
    assert len(before) == 2
    after, join = {}, bulk.join

    def note_and_join(parts, output):
        after.update((part.name, part.stat().st_mtime_ns) for part in parts)
        join(parts, output)

    monkeypatch.setattr(bulk, "join", note_and_join)
    table = ask(many, "out.parquet")
    assert "Going on from where the last run ended" in capsys.readouterr().out
    assert before.items() <= after.items()  # not made again
    assert table["row"].tolist() == list(range(1, 61))
    pd.testing.assert_frame_equal(table, ask(many, "whole.parquet"))


def test_parts_of_other_images_do_not_count(ask, images, workspace):
    stale = workspace / ".out.csv.parts" / "another"
    stale.mkdir(parents=True)
    (stale / "000000000.parquet").write_bytes(b"of other images")
    assert len(ask(images, "out.csv")) == 4
    assert not stale.exists()


def test_an_output_that_another_process_writes_is_refused(ask, images, workspace, monkeypatch):
    monkeypatch.setattr(predict, "main", predict.main.__wrapped__)
    with (
        held(workspace / ".out.csv.parts" / "lock"),
        pytest.raises(WorkspaceError, match="one that process"),
    ):
        ask(images, "out.csv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("images", "out.xlsx"), "ends in '.xlsx'"),
        (("nowhere",), "No such file or directory where they should be"),
        (("empty",), "without a file that is not hidden"),
    ],
)
def test_what_cannot_be_predicted_is_told(ask, workspace, capsys, arguments, said):
    (workspace / "empty").mkdir()
    with pytest.raises(SystemExit):
        ask(*arguments)
    assert said in capsys.readouterr().err
