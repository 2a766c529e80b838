"""A tree of DICOM files as a source: what is found, how it is labelled, and which slices come."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from worlds.dicom_files import make_dicom
from worlds.sources import pull_of

from tasks.common.errors import SourceError
from tasks.sources import Listing, dicom

PIXELS = np.zeros((4, 4), np.uint16)
SURNAME = "Quillfeather"  # must stand in no message


def grow(root: Path, name: str, **attributes: Any) -> bytes:
    """One file, by default of the series `1.2.<its folder>`; UIDs stand in the order of names."""
    uids = {"SOPInstanceUID": f"1.3.{int.from_bytes(name.encode())}"}
    if name.partition("/")[0].isdigit():
        uids["SeriesInstanceUID"] = f"1.2.{name.partition('/')[0]}"
    content = make_dicom(PIXELS, **uids | attributes)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)
    return content


def listed(root: Path, kind: str = "binary", **changes: Any) -> Listing:
    return dicom.listing(pull_of("dicom", root, **changes), kind)


def by_table(root: Path, text: str, key: str = "file", **changes: Any) -> Listing:
    """The listing with a table of labels that stands outside the tree."""
    table = root.with_name("labels.csv")
    table.write_text(text, encoding="utf-8")
    return listed(root, labels={"table": str(table), "key": key}, **changes)


def names(listing: Listing) -> list[str]:
    return [item.name for item in listing.items]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


def test_files_of_any_name_are_found_by_their_content(root):
    content = grow(root, "7/IM0001")
    (root / "7" / "bare").write_bytes(content[132:])
    (root / "7" / "scan.dcm").write_bytes(b"no DICOM at all")
    (root / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (root / "empty").write_bytes(b"")
    grow(root, "DICOMDIR")
    grow(root, "7/.hidden")
    grow(root, ".trash/IM0002")
    listing = by_table(root, "file,label\n./7/IM0001,sick\n7/bare,well\n")
    assert [(item.name, item.label) for item in listing.items] == [
        ("7/IM0001", "sick"),
        ("7/bare", "well"),
    ]
    assert listing.items[0].read() == content
    assert listing.notes[0] == "left out: 3 files that are no DICOM"
    assert [line.partition(" files")[0] for line in listing.notes[1:]] == ["passed by: 3"]


def test_hidden_and_excluded_files_are_counted_and_linked_folders_followed(root):
    grow(root, "7/a")
    grow(root, "7/.hidden")
    grow(root, "scouts/b")
    grow(root.parent / "elsewhere", "c")
    (root / "linked").symlink_to(root.parent / "elsewhere")
    listing = by_table(root, "file,label\n7/a,sick\nlinked/c,sick\n", exclude=["scouts"])
    assert names(listing) == ["7/a", "linked/c"]
    assert listing.notes == [
        "followed: 1 links to folders",
        "passed by: 1 files by pull.exclude",
        "passed by: 1 files that are hidden or a system's own, such as .DS_Store, __MACOSX and "
        "Thumbs.db",
    ]


def test_a_file_that_begins_like_a_tiff_is_found(root):
    content = grow(root, "7/a")
    (root / "7/a").write_bytes(b"II*\0".ljust(128, b"\0") + content[128:])
    listing = by_table(root, "file,label\n7/a,sick\n")
    assert (names(listing), listing.notes) == (["7/a"], [])


@pytest.mark.parametrize("column", ["key", "own"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("file", "7/a"),
        ("SOPInstanceUID", "1.2.3"),
        ("SeriesInstanceUID", "1.2.7"),
        ("StudyInstanceUID", "1.9"),
        ("PatientID", "007"),
    ],
)
def test_every_key_finds_its_file(root, key, value, column):
    ids = {"SOPInstanceUID": "1.2.3", "StudyInstanceUID": "1.9", "PatientID": "007 "}
    grow(root, "7/a", **ids)
    grow(root, "8/b", PatientID="7", SOPInstanceUID="1.2.4", StudyInstanceUID="1.8")
    header = key if column == "own" else "key"
    listing = by_table(root, f"{header},label\n{value},sick\n", key)
    assert [(item.name, item.label) for item in listing.items] == [("7/a", "sick")]
    assert listing.notes == ["left out: 1 DICOM files without a label"]


def test_the_table_gives_all_it_knows_and_the_patient_stays_with_the_header(root):
    for name in ("1/a", "2/b"):
        grow(root, name, PatientID="in the header")
    text = "key,label,patient_id,split,age,sex,ward,nurse\n1.2.1,sick,P1,test,61,M,7,Ann\n"
    text += "1.2.2,well,,,,,,\n1.2.3,well,,,,,,\n"
    listing = by_table(root, text, "SeriesInstanceUID", slices=["ward"])
    first, second = listing.items
    assert (first.patient_id, first.source_split) == ("P1", "test")
    assert first.slices == {"age_band": "60-69", "sex": "M", "slice_ward": "7"}
    assert (second.patient_id, second.source_split, second.slices) == (None, None, {})
    assert listing.notes[0].startswith("columns of the CSV dropped, as they may identify: 1.")
    assert listing.details == ["dropped column of the CSV: nurse"]
    assert "labels of the table that match no file: 1" in listing.notes


def test_problems_of_the_table_are_collected_without_a_value(root):
    grow(root, "1/a")
    rows = ["key,label,split", f"{SURNAME},sick,", f"{SURNAME},well,", f"{SURNAME},sick,"]
    rows += [",sick,", "x,,tset"]
    with pytest.raises(SourceError) as caught:
        by_table(root, "\n".join(rows), "PatientID")
    for problem in (
        "an earlier row says otherwise of this key: line 3",
        "the key is empty: line 5",
        "label is empty: line 6",
        "split must be train, val, test or empty: line 6",
    ):
        assert problem in str(caught.value)
    assert SURNAME not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("name,label\na,sick\n", "column 'key' or 'PatientID' is missing"),
        ("key,label\n1.2.1,sick\n", "set pull.labels.key to SeriesInstanceUID"),
        ("key,label\nelse,sick\n", "it must hold values of PatientID"),
    ],
)
def test_a_table_that_fits_no_file_says_what_would(root, text, match):
    grow(root, "1/a", PatientID=SURNAME)
    with pytest.raises(SourceError, match=match) as caught:
        by_table(root, text, "PatientID")
    assert SURNAME not in str(caught.value)


def test_the_columns_of_the_table_can_be_named(root):
    grow(root, "1/a", PatientID=SURNAME)
    text = f"patient_id\tdiagnosis\tpart\n{SURNAME}\tsick\ttest\n"
    columns = {"file": "patient_id", "label": "diagnosis", "split": "part"}
    listing = by_table(root, text, "PatientID", columns=columns)
    (item,) = listing.items
    assert (item.label, item.source_split, item.patient_id) == ("sick", "test", None)


def test_no_identifier_stands_for_a_line(root):
    grow(root, "1/a", PatientID="1234567")
    text = "PatientID,label,site\n1234567,sick,x,\n\n1234568,,y,\n"
    with pytest.raises(SourceError, match="label is empty: line 4") as caught:
        by_table(root, text, "PatientID")
    assert "12345" not in str(caught.value)


def test_two_spellings_of_a_path_are_one_key(root):
    grow(root, "1/a")
    with pytest.raises(SourceError, match="an earlier row says otherwise of this key: line 3"):
        by_table(root, "key,label\n1/a,sick\n./1/a,well\n")
    assert names(by_table(root, "key,label\n1/a,sick\n./1//a,sick\n")) == ["1/a"]


def test_a_missing_table_a_missing_tree_and_a_tree_without_dicom(root):
    grow(root, "1/a")
    with pytest.raises(SourceError, match=r"pull.labels.table must be a CSV"):
        listed(root, labels={"table": str(root / "absent.csv")})
    with pytest.raises(SourceError, match="No such file or directory"):
        listed(root / "absent", labels={"field": "Modality"})
    (root / "1" / "a").write_bytes(b"text")
    with pytest.raises(SourceError, match="0 DICOM and 1 other files"):
        listed(root, labels={"field": "Modality"})


def test_labels_from_a_field(root):
    grow(root, "1/a", BodyPartExamined="CHEST")
    grow(root, "1/b", BodyPartExamined="HEAD ")
    grow(root, "1/c", BodyPartExamined="")
    grow(root, "1/d")
    listing = listed(root, labels={"field": "BodyPartExamined"})
    assert [item.label for item in listing.items] == ["CHEST", "HEAD"]
    assert listing.notes == ["left out: 2 DICOM files without a label"]


def test_a_field_of_several_values_takes_a_multilabel_task(root):
    grow(root, "1/a", ImageType=["ORIGINAL", "AXIAL"])
    grow(root, "1/b", ImageType="AXIAL")
    with pytest.raises(SourceError, match="several in 1 files"):
        listed(root, labels={"field": "ImageType"})
    listing = listed(root, "multilabel", labels={"field": "ImageType"})
    assert [item.label for item in listing.items] == ["AXIAL|ORIGINAL", "AXIAL"]


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("PatientName", "may identify"),
        ("PatientID", "may identify"),
        ("InstitutionName", "may identify"),
        ("SeriesDescription", "may identify"),
        ("StudyInstanceUID", "may identify"),
        ("BodyPart", "no keyword"),
        ("PixelData", "neither"),
    ],
)
def test_fields_that_are_refused(root, field, why):
    with pytest.raises(SourceError, match=why):
        listed(root, labels={"field": field})


@pytest.mark.parametrize(
    "field", ["Modality", "BodyPartExamined", "Laterality", "ViewPosition", "PatientSex", "KVP"]
)
def test_fields_that_are_taken(field):
    dicom.check_field(field)


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_what_is_no_picture_comes_only_under_a_label_of_its_own(root):
    grow(root, "1/image", Modality="CT")
    grow(root, "1/mask", Modality="seg")
    report = Dataset()
    report.update(dcmread(io.BytesIO(grow(root, "1/x")), stop_before_pixels=True))
    del report.Rows
    report.save_as(root / "1" / "report", implicit_vr=False, little_endian=True)
    (root / "1" / "x").unlink()
    listing = by_table(root, "key,label\n1.2.1,sick\n", "SeriesInstanceUID")
    assert names(listing) == ["1/image"]
    assert listing.notes[0].startswith("left out: 2 DICOM objects that are no picture")
    assert names(by_table(root, "key,label\n1/mask,sick\n")) == ["1/mask"]


def test_a_damaged_file_comes_if_its_name_has_a_label(root):
    grow(root, "1/good", Modality="CT")
    (root / "1" / "broken").write_bytes(bytes(128) + b"DICM" + b"\x02\0\xff\xff" * 9)
    text = "key,label\n1/good,sick\n1/broken,well\n"
    assert names(by_table(root, text)) == ["1/broken", "1/good"]
    listing = listed(root, labels={"field": "Modality"})
    assert names(listing) == ["1/good"]
    assert listing.notes == ["left out: 1 damaged DICOM files without a label"]


@pytest.mark.parametrize(
    ("take", "brought"),
    [
        ("all", ["1/e", "1/d", "1/c", "1/b", "1/a", "2/x"]),
        ("middle", ["1/c", "2/x"]),
        ("every 2", ["1/e", "1/c", "1/a", "2/x"]),
    ],
)
def test_slices_of_each_series_are_taken_in_the_order_of_their_numbers(root, take, brought):
    for number, name in enumerate("edcba", start=8):  # 12 after 8: as numbers, not as text
        grow(root, f"1/{name}", Modality="CT", InstanceNumber=number)
    grow(root, "2/x", Modality="CT")
    listing = listed(root, labels={"field": "Modality"}, take=take)
    assert names(listing) == brought
    left = 6 - len(brought)
    assert listing.notes == ([f"left out: {left} images by pull.take ({take})"] if left else [])


def sagittal(position: float) -> dict[str, Any]:
    return {
        "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
        "ImagePositionPatient": [-position, 5, 5],
    }


@pytest.mark.parametrize(
    "places",
    [
        [sagittal(10), sagittal(2), sagittal(-30)],
        [{"InstanceNumber": 1} | sagittal(p) for p in (10, 2, -30)],
        [{"SliceLocation": p} for p in (-30, 2, 10)],
        [{"InstanceNumber": n, "SliceLocation": p} for n, p in [(9, -30), (None, 2), (1, 10)]],
        [{"SOPInstanceUID": f"1.2.{n}"} for n in (1, 2, 3)],
    ],
    ids=["position", "one number for all", "location", "a number missing", "uid"],
)
def test_without_numbers_the_place_tells_the_order(root, places):
    for name, place in zip(("b", "a", "c"), places, strict=True):
        known = {keyword: value for keyword, value in place.items() if value is not None}
        grow(root, f"1/{name}", Modality="CT", **known)
    order = names(listed(root, labels={"field": "Modality"}))
    assert order in (["1/b", "1/a", "1/c"], ["1/c", "1/a", "1/b"])
    assert names(listed(root, labels={"field": "Modality"}, take="middle")) == ["1/a"]


def test_a_choice_is_made_among_the_labelled_slices(root):
    for number in range(1, 10):
        grow(root, f"1/{number}", InstanceNumber=number)
    text = "file,label\n" + "".join(f"1/{number},sick\n" for number in (1, 2, 9))
    assert names(by_table(root, text, take="middle")) == ["1/2"]


def test_files_without_a_series_stand_alone(root):
    for name in ("a", "b"):
        grow(root, name, Modality="CT")
    assert names(listed(root, labels={"field": "Modality"}, take="middle")) == ["a", "b"]
