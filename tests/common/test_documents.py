import csv
import errno
import os

import pandas as pd
import pytest
from worlds.project import ROOT

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
    documents.write_private(path, "after \udce9")
    assert path.read_text() == "after \\udce9"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_spreadsheet_would_run_is_marked_as_text(tmp_path):
    cells = ["=1+1", "+x", "-x", "@x", "\tx", "\rx", "\nx", "\0x", "\uff1d1", "-", "a\r=1"]
    harmless = ["a=1", "-1", "+1.5e-3", "1", "", " x", "'=1", "no-x", ".5", None, "-2."]
    documents.write_csv(tmp_path / "a.csv", pd.DataFrame({"=head": cells, "-1": harmless}))
    with (tmp_path / "a.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["'=head", "-1"]
    marked = ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "'\nx", "'\nx", "'\0x", "'\uff1d1", "'-"]
    assert [row[0] for row in rows] == [*marked, "a\n=1"]
    assert [row[1] for row in rows] == [cell or "" for cell in harmless]


def test_numbers_and_plain_text_are_written_as_they_are(tmp_path):
    table = pd.DataFrame(
        {"n": [-1, 2], "x": [-0.12345678, float("nan")], "text": ['say "a", b', "é\nü"]}
    )
    documents.write_csv(tmp_path / "new" / "a.csv", table, float_format="%.3g")
    expected = 'n,x,text\n-1,-0.123,"say ""a"", b"\n2,,"é\nü"\n'
    assert (tmp_path / "new" / "a.csv").read_bytes() == expected.encode()
    documents.write_csv(tmp_path / "b.csv", table.head(0))
    rows = (table.iloc[[k]] for k in range(len(table)))
    documents.write_csv_parts(tmp_path / "c.csv", rows, "%.3g")
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "new" / "a.csv").read_bytes()
    assert (tmp_path / "b.csv").read_text() == "n,x,text\n"


def test_every_table_for_a_spreadsheet_is_written_so():
    files = {file.name for file in ROOT.glob("tasks/**/*.py") if ".to_csv(" in file.read_text()}
    assert files == {"documents.py"}


@pytest.mark.parametrize("before", ["nothing", "file", "link", "folder"])
def test_a_fresh_folder_is_empty_whatever_was_there(tmp_path, before):
    path, other = tmp_path / "new" / "folder", tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    if before == "folder":
        (path / "deep").mkdir(parents=True)
    elif before != "nothing":
        path.parent.mkdir()
        path.touch() if before == "file" else path.symlink_to(other)
    assert documents.fresh_folder(path) == path
    assert path.is_dir()
    assert not path.is_symlink()
    assert not list(path.iterdir())
    assert (other / "kept").exists()


def test_a_folder_that_cannot_be_removed_says_why(tmp_path, monkeypatch):
    """Not that it exists, which is what it would say after that."""

    def refused(path, **_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(documents.shutil, "rmtree", refused)
    with pytest.raises(PermissionError):
        documents.fresh_folder(tmp_path)
