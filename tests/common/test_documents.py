import pytest

from tasks.common import documents


def test_a_file_is_replaced_at_once_and_its_folder_is_made(tmp_path):
    path = tmp_path / "new" / "a.json"
    seen = []

    def write(draft):
        draft.write_text("second")
        seen.append((draft.parent, path.exists() and path.read_text()))

    documents.replace(path, lambda draft: draft.write_text("first"))
    documents.replace(path, write, lasting=True)
    assert seen == [(path.parent, "first")]
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_before_and_no_draft(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("first")

    def write(draft):
        draft.write_text("sec")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        documents.replace(path, write)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_value_that_is_none_of_json_leaves_the_file_before(tmp_path):
    path = tmp_path / "a.json"
    documents.write_json(path, {"b": 1, "a": [2.5, "Ø"]})
    assert path.read_text() == '{\n  "b": 1,\n  "a": [\n    2.5,\n    "Ø"\n  ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        documents.write_json(path, {"a": float("nan")})
    assert documents.read_json(path) == {"b": 1, "a": [2.5, "Ø"]}


def test_a_private_file_is_its_owners_alone_also_where_another_lay_there(tmp_path):
    path = tmp_path / "details.txt"
    path.write_text("before")
    path.chmod(0o644)
    documents.write_private(path, "after")
    assert path.read_text() == "after"
    assert path.stat().st_mode & 0o777 == 0o600
