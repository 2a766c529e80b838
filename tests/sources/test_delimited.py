"""The text of a CSV as a table of cells and lines."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from tasks.common.errors import SourceError
from tasks.sources import delimited


def read(path: Path, content: str | bytes) -> pd.DataFrame:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return delimited.read(path, "the CSV", {"file", "label"}.issubset)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "Smith.csv"


@pytest.mark.parametrize(
    "content",
    [
        "file,label,age\na.png,x,61\n",
        "file;label;age\na.png;x;61\n",
        "file\tlabel\tage\na.png\tx\t61\n",
        'file , "label","age"\na.png, "x",61\n',
        '"file";"label";"age"\n"a.png";"x";"61"\n',
        "file,label,age\r\na.png,x,61\r\n",
        "file,label,age\ra.png,x,61",
        "\n\nfile,label,age\n\n , ,\na.png,x,61\n,,\n",
        "file,label,age\na.png,x,61,\n",
        "file,label,age,,\na.png,x,61,,\n",
    ],
)
def test_one_table_in_many_spellings(table, content):
    cells = read(table, content)
    assert cells[["file", "label", "age"]].to_numpy().tolist() == [["a.png", "x", "61"]]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('file,label\n"a,b.png",x\n', [["a,b.png", "x"]]),
        ('file;label\n"a;b.png";x\n', [["a;b.png", "x"]]),
        ("file;label;age\na.png;x;61,5\n", [["a.png", "x", "61,5"]]),
        ("file;label;a,b,c,d\na.png;x;1\n", [["a.png", "x", "1"]]),
        ("file;label\na,b,c.png;x,y\n", [["a,b,c.png", "x,y"]]),
        ("file\tlabel\na.png\tx|y\n", [["a.png", "x|y"]]),
        ('file,label\na.png,"say ""x"""\n', [["a.png", 'say "x"']]),
        ("file,label,age\na.png,x\n", [["a.png", "x", ""]]),
    ],
)
def test_the_separator_is_the_one_that_gives_the_columns(table, content, rows):
    assert read(table, content).to_numpy().tolist() == rows


def test_a_row_is_called_by_the_line_it_begins_in(table):
    content = 'file,label\n\na.png,x\n,,\n\n"b\n\n.png",y\nc.png,z\n'
    for end in ("\n", "\r\n", "\r"):
        cells = read(table, content.replace("\n", end))
        assert list(cells.index) == [3, 6, 9]
        assert list(cells["label"]) == ["x", "y", "z"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_write_is_read(table, encoding):
    cells = read(table, "file\tlabel\nü.png\té\n".encode(encoding))
    assert cells.to_numpy().tolist() == [["ü.png", "é"]]
    assert list(cells.columns) == ["file", "label"]


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".BZ2", bz2.compress), (".xz", lzma.compress)]
)
def test_a_packed_table_is_read_whole_or_not_at_all(tmp_path, suffix, pack):
    path = tmp_path / f"Smith.csv{suffix}"
    content = pack("".join(["file,label\n", *(f"{i}.png,x\n" for i in range(999))]).encode())
    assert len(read(path, content)) == 999
    for damaged in (content[:-9], content[:4], b"junk", content[:20] + b"junk" + content[24:]):
        with pytest.raises(SourceError, match=r"the CSV cannot be read .*damaged or cut") as caught:
            read(path, damaged)
        assert "Smith" not in str(caught.value)


def a_tar(path: Path) -> bytes:
    with tarfile.open(path, "w") as opened:
        opened.add(__file__, "Smith.png")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        ("file,label\nSmith.png,x\nü.png,y\n".encode("latin-1"), "line 3 of it is not"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\xff", "line 1 of it is not"),
        ("file,label\nSmith.png,x\n".encode("utf-16-le"), "zero bytes"),
        (b"file,label\nSmith\0.png,x\n", "zero bytes"),
        ("file,label\nSmith.png,x\n".encode("utf-16")[:-1], "line 2 of it is not"),
        (b'file,label\nSmith.png,x\n\n"b.png,y\nc.png,z\n', "from line 4 on"),
        (b'file,label\nSmith.png,"x" y\n', "from line 2 on"),
        (b"file,label\na.png,x\n\nSmith.png,x,y\nb.png,x,,y\n", "header in line 4, 5:"),
        (b"file,label\na.png,61,5\n", "header in line 2:"),
    ],
)
def test_what_is_no_table_is_refused_without_a_word_of_it(table, content, match):
    with pytest.raises(SourceError, match=match) as caught:
        read(table, content)
    assert "Smith" not in str(caught.value)


def test_a_tar_that_is_called_a_table_is_no_text(table, tmp_path):
    with pytest.raises(SourceError, match="zero bytes"):
        read(table, a_tar(tmp_path / "a.tar"))


def test_many_lines_are_shortened(table):
    with pytest.raises(SourceError, match=r"line 2, 3, .*11 and 20 more"):
        read(table, "file,label\n" + "a.png,x,y\n" * 30)
