"""Class folders and tables of labels as a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from worlds import sources

from tasks.common.errors import SourceError
from tasks.common.params.pull import Pull
from tasks.sources import folder, open_source


def pull_of(path: Path, slices: tuple[str, ...] = (), exclude: Sequence[str] = ()) -> Pull:
    return sources.pull_of("folder", path, slices=list(slices), exclude=list(exclude))


def grow(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(file.encode())
    return root


def table(root: Path, text: str, *files: str) -> Path:
    grow(root, *files)
    (root / "labels.csv").write_text(text, encoding="utf-8")
    return root / "labels.csv"


def test_first_level_folders_are_the_classes(tmp_path):
    root = grow(tmp_path, "sick/b.PNG", "sick/deep/a.dcm", "well/IM0001", "well/.hidden.png")
    items = folder.listing(pull_of(root), "binary").items
    assert [(item.label, item.read()) for item in items] == [
        ("sick", b"sick/b.PNG"),
        ("sick", b"sick/deep/a.dcm"),
        ("well", b"well/IM0001"),
    ]
    assert {item.source_split for item in items} == {None}


def test_split_folders_may_stand_above_the_classes(tmp_path):
    root = grow(tmp_path, "train/sick/a.png", "val/well/b.png", "test/sick/c.png")
    items = folder.listing(pull_of(root), "binary").items
    assert {(item.source_split, item.label) for item in items} == {
        ("train", "sick"),
        ("val", "well"),
        ("test", "sick"),
    }


def test_files_that_are_no_images_are_counted(tmp_path):
    root = grow(tmp_path, "sick/a.png", "sick/notes.txt", "well/b.png", "well/more.txt")
    listing = folder.listing(pull_of(root), "binary")
    assert len(listing.items) == 2
    assert listing.notes == ["passed by: 2 files that are no images (.txt)"]
    assert listing.details == [
        "files that are no images (.txt):",
        "sick/notes.txt",
        "well/more.txt",
    ]


def test_an_ending_that_may_be_a_name_is_not_told(tmp_path):
    root = grow(tmp_path, "sick/a.png", "sick/scan.Smith", "well/b.Smith^Jane", "well/c.csv")
    listing = folder.listing(pull_of(root), "binary")
    assert listing.notes == [
        "passed by: 1 files that are no images (.csv)",
        "passed by: 2 files that are no images (other)",
    ]


def test_files_named_by_a_uid_or_a_number_are_images(tmp_path):
    root = grow(tmp_path, "sick/1.2.840.113619.2.55.3", "well/IM.0001")
    items = folder.listing(pull_of(root), "binary").items
    assert [item.label for item in items] == ["sick", "well"]


@pytest.mark.parametrize(
    ("folders", "sides"),
    [
        (("Training", "Testing"), ("train", "test")),
        (("TRAIN", "Valid"), ("train", "val")),
        (("train_set", "dev"), ("train", "val")),
    ],
)
@pytest.mark.parametrize("above", ["", "chest_xray/", "a/b/"])
def test_split_folders_have_many_names_and_stand_below_single_folders(
    tmp_path, folders, sides, above
):
    """Kaggle's chest_xray/train is one."""
    root = grow(tmp_path, *(f"{above}{folder}/sick/a.png" for folder in folders))
    grow(root, f"{above}{folders[0]}/well/b.png", f"{above}__MACOSX/x/._a.png", "readme.txt")
    listing = folder.listing(pull_of(root), "binary")
    assert {(item.name, item.source_split, item.label) for item in listing.items} == {
        (f"{folders[0]}/sick/a.png", sides[0], "sick"),
        (f"{folders[0]}/well/b.png", sides[0], "well"),
        (f"{folders[1]}/sick/a.png", sides[1], "sick"),
    }
    assert [line.partition(" files")[0] for line in listing.notes] == ["passed by: 1"] * 2


def test_a_split_below_the_classes_is_told_not_to_count(tmp_path):
    root = grow(tmp_path, "sick/train/a.png", "well/train/b.png", "well/Testing/x/c.png")
    listing = folder.listing(pull_of(grow(root, "well/d.png")), "binary")
    assert [item.source_split for item in listing.items] == [None] * 4
    assert listing.notes[0].startswith("3 images lie in folders named as the sides of a split")


def test_a_single_class_is_not_stepped_into(tmp_path):
    items = folder.listing(pull_of(grow(tmp_path, "sick/p1/a.png", "sick/p2/b.png")), "").items
    assert [(item.name, item.label) for item in items] == [
        ("sick/p1/a.png", "sick"),
        ("sick/p2/b.png", "sick"),
    ]


@pytest.mark.parametrize(
    ("files", "counted"),
    [
        (["train/sick/a.png", "Smith/b.png"], "under pull.path: 1 folders.*beside 1 others"),
        (["Valid/sick/a.png", "Smith/b.png", "Jones/c.png"], "1 folders.*beside 2 others"),
        (["train/test/a.png", "train/Smith/b.png"], "below those of a split: 1 .*beside 1 others"),
        (["train/train/sick/a.png", "test/test/sick/b.png"], "2 folders.*beside 0 others"),
    ],
)
def test_splits_and_classes_do_not_mix(tmp_path, files, counted):
    with pytest.raises(SourceError, match=counted) as caught:
        folder.listing(pull_of(grow(tmp_path, *files)), "binary")
    assert "pull.exclude" in str(caught.value)
    assert not any(name in str(caught.value) for name in ("Smith", "Jones", str(tmp_path)))


def test_a_copy_of_the_set_in_itself_is_excluded(tmp_path):
    """As Kaggle packs chest_xray.zip: the pattern does not mean the folder above."""
    files = ["train/sick/a.png", "test/well/b.png"]
    root = grow(tmp_path, *(f"chest_xray/{top}{f}" for f in files for top in ("", "chest_xray/")))
    with pytest.raises(SourceError, match=r"2 folders.*beside 1 others"):
        folder.listing(pull_of(root), "binary")
    listing = folder.listing(pull_of(root, exclude=["chest_xray"]), "binary")
    assert [item.name for item in listing.items] == ["test/well/b.png", "train/sick/a.png"]
    assert listing.notes == ["passed by: 2 files by pull.exclude"]


def test_what_is_passed_by_is_counted_by_its_reason_and_named_in_the_details(tmp_path):
    root = grow(tmp_path, "sick/a.png", "sick/a_mask_1.png", "well/b.png", "well/b_overlay.png")
    grow(root, "sick/.thumbnails/a.png", "well/notes.txt", "c.png", "readme/d.txt")
    listing = folder.listing(pull_of(root, exclude=["*_overlay.png", "readme", "x"]), "binary")
    assert [item.name for item in listing.items] == ["sick/a.png", "well/b.png"]
    assert listing.notes == [
        "pull.exclude: nothing matches pattern 3, by its place there",
        "passed by: 2 files by pull.exclude",
        "passed by: 1 files outside of the class folders",
        "passed by: 1 files that are hidden or a system's own, such as .DS_Store, __MACOSX and "
        "Thumbs.db",
        "passed by: 1 files that are no images (.txt)",
        "passed by: 1 masks of pictures that lie beside them",
    ]
    assert {"readme/d.txt", "c.png", "sick/a_mask_1.png"} <= set(listing.details)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([f"{n}.png" for n in range(150)], "0 class folders, none with an image, 150 images.*into"),
        (["train/a.png", "test/b.png"], "2 folders of a split, 0 class folders.*2 images"),
        (["a.png", "labels.csv"], "1 images outside.*by: 1 tables.*set pull.path to the table"),
        (["sick/a.nii", "well/b.nii"], r"2 class folders.*passed by: 2 files.*\(other\)"),
    ],
)
def test_without_an_image_in_a_class_it_says_what_is_there(tmp_path, files, said):
    with pytest.raises(SourceError, match=said):
        folder.listing(pull_of(grow(tmp_path, *files)), "binary")


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_nothing_there_is_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="<class>/<files>"):
        folder.listing(pull_of(tmp_path / name), "binary")


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


def test_columns_are_called_as_the_csv_calls_them(tmp_path):
    path = table(
        tmp_path,
        "Bild;label;Befund, final;Fall;Teil;age\na.png;old;sick;P1;train;61\n",
        "a.png",
    )
    columns = {"file": "Bild", "label": "Befund, final", "patient_id": "Fall", "split": "Teil"}
    listing = folder.listing(sources.pull_of("folder", path, columns=columns), "binary")
    (item,) = listing.items
    assert (item.name, item.label, item.patient_id, item.source_split, item.slices) == (
        *("a.png", "sick", "P1", "train"),
        {"age_band": "60-69"},
    )
    assert listing.details == ["dropped column of the CSV: label"]


@pytest.mark.parametrize(
    ("text", "columns", "match"),
    [
        (
            "file,label\na.png,x\n",
            {"label": "Smith"},
            r"pull\.columns\.label names is missing",
        ),
        ("file,label\na.png,x\n", {"patient_id": "Smith"}, r"pull\.columns\.patient_id names is m"),
        ("file,label\na.png,x\n", {"split": "Smith"}, r"pull\.columns\.split names is missing"),
        ("Smith,label\na.png,x\n", {"label": "Smith"}, "column 'file' is missing"),
        ("file,label\na.png,x\n", {"label": "file"}, "names one column twice"),
        ("file,label, label\na.png,x,y\n", {}, "column 'label' is there 2 times"),
        ("file,label,Smith,Smith\na.png,x,1,2\n", {"split": "Smith"}, "split names is there 2 t"),
        ("file,split,label,split\na.png,,x,\n", {}, "column 'split' is there 2 times"),
    ],
)
def test_columns_that_are_not_there_or_there_twice(tmp_path, text, columns, match):
    path = table(tmp_path, text, "a.png")
    with pytest.raises(SourceError, match=match) as caught:
        folder.listing(sources.pull_of("folder", path, columns=columns), "binary")
    message = str(caught.value)
    assert "must hold file,label[,patient_id][,split][,slices]" in message
    assert "Smith" not in message


def test_columns_twice_that_nobody_needs_are_dropped(tmp_path):
    path = table(tmp_path, "file,label,Smith,Smith,\na.png,x,1,2,\n", "a.png")
    listing = folder.listing(pull_of(path), "binary")
    assert len(listing.items) == 1
    assert listing.details == ["dropped column of the CSV: Smith"] * 2


def test_two_columns_are_not_called_alike():
    with pytest.raises(ValueError, match="each must name another column"):
        sources.pull_of("folder", Path("l.csv"), columns={"label": "a", "split": "a"})


def test_a_file_name_too_long_for_the_disk_is_a_file_that_is_not_there(tmp_path):
    path = table(tmp_path, f"file,label\n{'Smith' * 200}.png,x\n")
    with pytest.raises(SourceError, match="no such file beside the CSV: line 2"):
        folder.listing(pull_of(path), "binary")


@pytest.mark.parametrize("name", ["a.tar.bz2", "a.TXZ", "a.tar.xz", "a.7z", "a.rar", "a.tar.zst"])
def test_archives_that_are_not_read_name_those_that_are(tmp_path, name):
    (tmp_path / name).write_bytes(b"Smith")
    with pytest.raises(SourceError, match=r"required: \.zip, \.tar, \.tar\.gz, \.tgz") as caught:
        folder.listing(pull_of(tmp_path / name), "binary")
    assert str(tmp_path) not in str(caught.value)


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


def test_masks_go_with_their_pictures(tmp_path):
    grow(tmp_path, "sick/a.png", "sick/a_mask.png", "sick/a_mask_1.png", "sick/b.png")
    a, b = folder.listing(pull_of(tmp_path), "binary").items
    assert {name: read() for name, read in a.masks.items()} == {
        "sick/a_mask.png": b"sick/a_mask.png",
        "sick/a_mask_1.png": b"sick/a_mask_1.png",
    }
    assert b.masks == {}


def test_a_column_of_masks_counts_where_it_is_named(tmp_path):
    text = "file,label,where\na.png,x,masks/m.png\nb.png,x,\n"
    path = table(tmp_path, text, "a.png", "b.png", "masks/m.png")
    assert not any(item.masks for item in folder.listing(pull_of(path), "binary").items)
    named = sources.pull_of("folder", path, columns={"mask": "where"})
    a, b = folder.listing(named, "binary").items
    assert [read() for read in a.masks.values()] == [b"masks/m.png"]
    assert b.masks == {}
    (tmp_path / "masks/m.png").unlink()
    with pytest.raises(SourceError, match="no such mask beside the CSV: line 2"):
        folder.listing(named, "binary")


def test_boxes_are_masks(tmp_path):
    """One that reaches over an edge is cut; a pixel that a box touches is in it."""
    grow(tmp_path, "a.png", "b.png")
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((20, 30), 7, np.uint8))
    path = table(tmp_path, 'file,label,at\na.png,x,"2 3 5.5 8; 25,15,99,99"\nb.png,x,\n')
    named = sources.pull_of("folder", path, columns={"box": "at"})
    a, b = folder.listing(named, "binary").items
    (read,) = a.masks.values()
    expected = np.zeros((20, 30), np.uint8)
    expected[3:8, 2:6] = expected[15:, 25:] = 255
    assert (cv2.imdecode(np.frombuffer(read(), np.uint8), cv2.IMREAD_UNCHANGED) == expected).all()
    assert b.masks == {}


@pytest.mark.parametrize("box", ["1 2 3", "5 5 2 9", "Smith", "1 2 3 4;-1 0 3 4"])
def test_a_box_that_is_none_is_named_by_its_line(tmp_path, box):
    path = table(tmp_path, f"file,label,at\na.png,x,{box}\n", "a.png")
    named = sources.pull_of("folder", path, columns={"box": "at"})
    with pytest.raises(SourceError, match=r"a box must be left top .*: line 2") as caught:
        folder.listing(named, "binary")
    assert "Smith" not in str(caught.value)
