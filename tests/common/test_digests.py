import io
import zipfile

import pandas as pd
import pytest

from tasks.common import digests, paths
from tasks.common.errors import DataError


def lock(folder, **stages):
    text = "schema: '2.0'\nstages:\n" + "".join(f"  {k}: {{cmd: {v}}}\n" for k, v in stages.items())
    path = folder / "dvc.lock"
    path.write_text(text)
    return path


def test_publish_is_no_part_of_a_result(tmp_path):
    first = digests.of_result(lock(tmp_path, train="a"))
    assert digests.of_result(lock(tmp_path, train="a", publish="b")) == first
    assert digests.of_result(lock(tmp_path, train="c", publish="b")) != first


def test_the_list_of_code_is_no_part_of_a_result_but_a_stages_own_code_is(tmp_path):
    """Else an edit of what publishes would make a second run of the same result."""
    first = digests.of_result(lock(tmp_path, code="{deps: a}", train="{deps: b}"))
    assert digests.of_result(lock(tmp_path, code="{deps: c}", train="{deps: b}")) == first
    assert digests.of_result(lock(tmp_path, code="{deps: a}", train="{deps: d}")) != first


def test_no_lock_is_an_error(tmp_path):
    with pytest.raises(DataError, match="dvc repro"):
        digests.of_result(tmp_path / "dvc.lock")


def keras_file(path, date, weights):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", date)
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", weights)
    return path


def test_a_models_digest_ignores_when_it_was_saved(tmp_path):
    first = digests.of_model(keras_file(tmp_path / "a.keras", "monday", b"w"))
    assert digests.of_model(keras_file(tmp_path / "b.keras", "tuesday", b"w")) == first
    assert digests.of_model(keras_file(tmp_path / "c.keras", "monday", b"v")) != first


def test_a_tables_digest_ignores_the_order_of_rows():
    table = pd.DataFrame({"image_id": ["a", "b"], "label": ["x", "y"], "other": [1, 2]})
    assert digests.of_table(table, ["image_id", "label"]) == digests.of_table(
        table.iloc[::-1], ["image_id", "label"]
    )
    assert digests.of_table(table, ["image_id"]) != digests.of_table(table, ["label"])


def test_parts_cannot_be_shifted_between_one_another():
    assert digests.of_bytes(b"ab", b"c") != digests.of_bytes(b"a", b"bc")


def test_a_stages_key_follows_its_files_and_parameters(workspace):
    (workspace / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: x\n    deps: [a.txt, folder]\n    params: [train]\n"
    )
    (workspace / "folder").mkdir()
    (workspace / "a.txt").write_text("1")
    first = digests.of_stage("train")
    assert digests.of_stage("train") == first
    (workspace / "a.txt").write_text("2")
    second = digests.of_stage("train")
    assert second != first
    text = paths.PARAMS.read_text()
    paths.PARAMS.write_text(text.replace("epochs: 50", "epochs: 51"))
    assert digests.of_stage("train") not in {first, second}


def test_a_stages_key_follows_one_key_of_a_section(workspace):
    (workspace / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: x\n    deps: []\n    params: [preprocess.color]\n"
    )
    first = digests.of_stage("train")
    text = paths.PARAMS.read_text()
    paths.PARAMS.write_text(text.replace("max_quarantined: 0.05", "max_quarantined: 0.5"))
    assert digests.of_stage("train") == first
    paths.PARAMS.write_text(text.replace("color: grey", "color: rgb"))
    assert digests.of_stage("train") != first


def test_a_file_is_read_whole(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(io.BytesIO(b"x" * 10_000_000).getvalue())
    first = digests.of_file(path)
    with path.open("r+b") as file:
        file.seek(9_999_999)
        file.write(b"y")
    assert digests.of_file(path) != first
