from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless
from worlds.dicom_files import make_dicom

from benchmarks import syntaxes

RESCALE = {"RescaleSlope": 1, "RescaleIntercept": -1024}


@pytest.fixture
def folder(tmp_path):
    """A slice, and codings of it that are right."""
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    for name, syntax, level in (("a", JPEGLSLossless, 0), ("b", JPEGLSNearLossless, 2)):
        coded = imagecodecs.jpegls_encode(values, level=level)
        content = make_dicom(values, syntax, [coded], **RESCALE)
        (tmp_path / f"{syntaxes.GOLDEN}_{name}").write_bytes(content)
    (tmp_path / syntaxes.GOLDEN).write_bytes(make_dicom(values, **RESCALE))
    return tmp_path


def verdict(folder, capsys):
    with pytest.raises(SystemExit) as ended:
        syntaxes.main(folder)
    return ended.value.code, capsys.readouterr().out


def test_right_codings_reach_the_goal(folder, capsys):
    code, said = verdict(folder, capsys)
    assert code == 0
    assert said.count("identical") == 2
    assert said.endswith("RESULT syntaxes 1 goal 1\n")


def test_a_lossless_coding_with_one_wrong_value_is_found(folder, capsys):
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    values[5, 5] += 1
    coded = imagecodecs.jpegls_encode(values)
    content = make_dicom(values, JPEGLSLossless, [coded], **RESCALE)
    (folder / f"{syntaxes.GOLDEN}_wrong").write_bytes(content)
    code, said = verdict(folder, capsys)
    assert code == 1
    assert "required: identical" in said
    assert said.endswith("RESULT syntaxes 0.75 goal 1\n")


def test_picture_that_is_refused_counts_as_wrong(folder, capsys):
    (folder / "broken.dcm").write_bytes(
        make_dicom(np.zeros((8, 8), np.uint16), JPEGLSLossless, [b"no picture at all, "])
    )
    code, said = verdict(folder, capsys)
    assert code == 1
    assert "WRONG" in said
