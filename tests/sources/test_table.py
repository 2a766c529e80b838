"""A table of labels as a source."""

from __future__ import annotations

import pytest
from worlds.folders import pull_of, table

from tasks.common.errors import SourceError
from tasks.sources import folder, open_source


def test_table_gives_all_it_knows(tmp_path, defaults):
    path = table(
        tmp_path,
        "\ufefffile,label,patient_id,split,age,sex,site,device,ward\n"
        "x/a.png,sick,P1,train,61,female,North,Maker,7\n"
        "b.png,well,,,,,,,\n",
        "x/a.png",
        "b.png",
    )
    listing = open_source(defaults.model_copy(update={"pull": pull_of(path)}))
    first, second = listing.items
    assert first.read() == b"x/a.png"
    assert (first.label, first.patient_id, first.source_split) == ("sick", "P1", "train")
    assert first.slices == {
        "age_band": "60-69",
        "sex": "F",
        "site": "North",
        "device": "Maker",
    }
    assert (second.patient_id, second.source_split, second.slices) == (None, None, {})
    assert "columns of the CSV dropped, as they may identify: 1." in listing.notes[0]
    assert "ward" not in listing.notes[0]
    assert listing.details == ["dropped column of the CSV: ward"]


def test_named_slices_are_kept(tmp_path):
    path = table(tmp_path, "file,label,ward,nurse\na.png,sick,7,Ann\n", "a.png")
    listing = folder.listing(pull_of(path, ("ward",)), "binary")
    assert listing.items[0].slices == {"slice_ward": "7"}
    assert listing.details == ["dropped column of the CSV: nurse"]


def test_every_problem_is_named_by_row_and_no_value_is_quoted(tmp_path):
    rows = ["file,label,split,age,sex", "a.png,sick,train,61,F", "Smith.png,sick,test,61,F"]
    rows += ["a.png,,tset,Smith,Smith", "a.png,sick,,200,"]
    with pytest.raises(SourceError) as caught:
        folder.listing(pull_of(table(tmp_path, "\n".join(rows), "a.png")), "binary")
    message = str(caught.value)
    for problem in (
        "no such file beside the CSV: line 3",
        "label is empty: line 4",
        "split must be train, val, test or empty: line 4",
        "line 4, 5",
        "a sex is F, M or O: line 4",
    ):
        assert problem in message
    assert "Smith" not in message
    assert str(tmp_path) not in message


def test_many_problems_are_shortened(tmp_path):
    path = table(tmp_path, "file,label\n" + "gone.png,sick\n" * 30)
    with pytest.raises(SourceError, match=r"line 2, 3, .*11 and 20 more"):
        folder.listing(pull_of(path), "binary")


@pytest.mark.parametrize(
    ("text", "slices", "match"),
    [
        ("image,label\na.png,sick\n", (), "column 'file' is missing.*columns 'label' and 1 others"),
        ("file,label\na.png,sick\n", ("ward",), "pull.slices names as its entry 1 is missing"),
        ("file,label,split\na.png,sick,train\n", ("split",), "is no slice"),
        ("file,label\n", (), "no rows"),
        ("", (), "is empty"),
        ('file,label\n"a.png,sick\n', (), "cannot be read"),
    ],
)
def test_unusable_tables(tmp_path, text, slices, match):
    with pytest.raises(SourceError, match=match):
        folder.listing(pull_of(table(tmp_path, text, "a.png"), slices), "binary")


def test_a_table_without_header_is_refused_without_its_first_row(tmp_path):
    path = table(tmp_path, "Smith.png,Jones,7\nb.png,well,8\n")
    with pytest.raises(SourceError, match="columns none and 3 others") as caught:
        folder.listing(pull_of(path), "binary")
    assert "Smith" not in str(caught.value)
    assert "Jones" not in str(caught.value)


def test_multilabels_are_brought_into_one_order(tmp_path):
    path = table(tmp_path, "file,label\na.png,scar|mass\na.png,\n", "a.png")
    labels = [item.label for item in folder.listing(pull_of(path), "multilabel").items]
    assert labels == ["mass|scar", ""]


def test_one_spelling_of_a_path_is_the_name(tmp_path):
    path = table(tmp_path, "file,label\n./x//a.png,sick\n", "x/a.png")
    assert [item.name for item in folder.listing(pull_of(path), "binary").items] == ["x/a.png"]


def test_a_file_name_too_long_for_the_disk_is_a_file_that_is_not_there(tmp_path):
    path = table(tmp_path, f"file,label\n{'Smith' * 200}.png,x\n")
    with pytest.raises(SourceError, match="no such file beside the CSV: line 2"):
        folder.listing(pull_of(path), "binary")


def test_the_split_of_a_table_has_many_names_too(tmp_path):
    path = table(tmp_path, "file,label,split\na.png,x,Training\na.png,x,VALID\na.png,x,\n", "a.png")
    sides = [item.source_split for item in folder.listing(pull_of(path), "binary").items]
    assert sides == ["train", "val", None]


def test_a_pattern_takes_rows_of_a_table(tmp_path):
    files = ["x/a.png", "x/a_mask.png", "masks/b.png"]
    path = table(tmp_path, "file,label\n" + "".join(f"{f},sick\n" for f in files), *files)
    kept = folder.listing(pull_of(path), "binary").items
    assert [item.name for item in kept] == files  # whoever lists a mask means it
    listing = folder.listing(pull_of(path, exclude=["masks", "*_mask.png"]), "binary")
    assert [item.name for item in listing.items] == ["x/a.png"]
    assert listing.notes == ["passed by: 2 files by pull.exclude"]
    with pytest.raises(SourceError, match=r"3, and pull\.exclude matches each"):
        folder.listing(pull_of(path, exclude=["*.png"]), "binary")
