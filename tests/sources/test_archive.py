"""Archives: unpacked once and whole, or refused with nothing kept and nothing outside touched."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worlds.sources import pull_of

from tasks.common.errors import SourceError
from tasks.common.paths import StateEntry
from tasks.sources import archive, folder

SURNAME = "Quillfeather"  # must stand in no message
NOISE = np.random.default_rng(1).bytes(50_000)
Files = Mapping[str, bytes]


def make_zip(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return path


def make_tar(path: Path, files: Files, **as_: Any) -> Path:
    """`as_` are attributes that each member gets, such as `type`."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for attribute, value in as_.items():
                setattr(member, attribute, value)
            opened.addfile(member, io.BytesIO(content))
    return path


def make(path: Path, files: Files) -> Path:
    return (make_zip if path.suffix == ".zip" else make_tar)(path, files)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


every_kind = pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.TGZ"])


def labels(path: Path) -> dict[str, str]:
    """Label by name."""
    return {item.name: item.label for item in folder.listing(pull_of("folder", path), "").items}


def refused(path: Path, match: str) -> None:
    """Unpacking ends in a message without a name, and leaves nothing."""
    with pytest.raises(SourceError, match=match) as caught:
        archive.unpack(path)
    assert SURNAME not in str(caught.value)
    assert not [file for file in StateEntry.DOWNLOADS.path.rglob("*") if file.is_file()]


@every_kind
def test_class_folders(tmp_path, name):
    path = make(tmp_path / name, {"sick/a.png": b"1", "well/deep/b.png": NOISE})
    items = folder.listing(pull_of("folder", path), "binary").items
    assert [(item.name, item.label, item.read()) for item in items] == [
        ("sick/a.png", "sick", b"1"),
        ("well/deep/b.png", "well", NOISE),
    ]


@every_kind
def test_a_single_folder_is_stepped_into_and_the_clutter_of_a_mac_passed_by(tmp_path, name):
    files = {"./set/sick/a.png": b"1", "set/well/b.png": b"2", "__MACOSX/set/._a.png": b"3"}
    path = make(tmp_path / name, files | {"set/.DS_Store": b"4", "set/well/inner.zip": b"PK"})
    listed = folder.listing(pull_of("folder", path), "")
    assert [(item.name, item.label) for item in listed.items] == [
        ("sick/a.png", "sick"),
        ("well/b.png", "well"),
    ]
    passed_by = {"__MACOSX/set/._a.png", ".DS_Store", "well/inner.zip"}
    assert set().union(*listed.passed_by.values()) == passed_by


def test_a_single_split_or_class_is_not_stepped_into(tmp_path):
    split = make_zip(tmp_path / "a.zip", {"train/sick/a.png": b"1", "train/well/b.png": b"2"})
    assert {item.source_split for item in folder.listing(pull_of("folder", split), "").items} == {
        "train"
    }
    other = make_zip(tmp_path / "c.zip", {"Training/sick/a.png": b"1", "Training/well/b.png": b""})
    assert labels(other) == {"Training/sick/a.png": "sick", "Training/well/b.png": "well"}
    assert labels(make_zip(tmp_path / "b.zip", {"sick/a.png": b"1"})) == {"sick/a.png": "sick"}


@pytest.mark.parametrize("top", ["", "set/"])
def test_a_table_at_the_top_comes_before_folders(tmp_path, top):
    table = b"file,label,patient_id\nx/a.png,sick,P1\nx/b.png,well,P2\n"
    files = {"labels.csv": table, "x/a.png": b"1", "x/b.png": b"2"}
    path = make_zip(tmp_path / "a.zip", {top + name: content for name, content in files.items()})
    items = folder.listing(pull_of("folder", path), "binary").items
    assert [(item.name, item.label, item.patient_id) for item in items] == [
        ("x/a.png", "sick", "P1"),
        ("x/b.png", "well", "P2"),
    ]


@pytest.mark.parametrize("outside", ["../../../../../secret.png", "{root}/secret.png"])
def test_a_table_cannot_name_files_outside_the_archive(tmp_path, outside):
    (tmp_path / "secret.png").write_bytes(b"secret")
    table = f"file,label\na.png,sick\n{outside.format(root=tmp_path)},well\n"
    path = make_zip(tmp_path / "a.zip", {"labels.csv": table.encode(), "a.png": b"1"})
    assert (archive.unpack(path) / outside.format(root=tmp_path)).is_file()
    with pytest.raises(SourceError, match="1 of its rows name others"):
        folder.listing(pull_of("folder", path), "binary")


def test_it_is_unpacked_once_for_its_owner_and_again_when_it_changed(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"sick/a.png": b"1"})
    first = archive.unpack(path)
    before = first.stat().st_ctime_ns
    assert archive.unpack(path) == first
    assert first.stat().st_ctime_ns == before
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    (first.parent / ".draft.99").mkdir()  # of a pull that was killed
    second = archive.unpack(make_zip(path, {"sick/new.png": b"12"}))
    assert [file.name for file in second.rglob("*.png")] == ["new.png"]
    assert list(second.parent.iterdir()) == [second]


def test_a_break_leaves_no_half_copy(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "a.zip", {"sick/a.png": b"1", "sick/b.png": b"2"})
    copies = iter([shutil.copyfileobj])

    def killed(*arguments: Any) -> None:
        copy = next(copies, None)
        if copy is None:
            raise KeyboardInterrupt
        copy(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(archive.shutil, "copyfileobj", killed)
        with pytest.raises(KeyboardInterrupt):
            archive.unpack(path)
    assert len(labels(path)) == 2


@every_kind
@pytest.mark.parametrize(
    "outside",
    [
        "../{}.png",
        "sick/../../../{}.png",
        "{root}/{}.png",
        "..\\{}.png",
        "C:\\{}.png",
        "\\\\host\\{}.png",
    ],
)
def test_paths_that_lead_outside(tmp_path, name, outside):
    member = outside.format(SURNAME, root=tmp_path)
    refused(make(tmp_path / name, {"sick/a.png": b"1", member: b"2"}), "member 2 has a path")
    assert not list(tmp_path.rglob(f"*{SURNAME}*"))


def test_backslashes_of_an_archive_made_on_windows_are_folders(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"sick\\a.png": b"1", "well\\b.png": b"2"})
    assert labels(path) == {"sick/a.png": "sick", "well/b.png": "well"}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a special file"),
        (tarfile.FIFOTYPE, "a special file"),
    ],
)
def test_links_and_devices_in_a_tar(tmp_path, kind, said):
    path = make_tar(tmp_path / "a.tar", {f"sick/{SURNAME}": b""}, type=kind, linkname="/etc/passwd")
    refused(path, f"member 1 is {said}")


@pytest.mark.parametrize(
    ("mode", "said"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "a special file")]
)
def test_links_and_devices_in_a_zip(tmp_path, mode, said):
    member = zipfile.ZipInfo(f"sick/{SURNAME}")
    member.external_attr = (mode | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr(member, "/etc/passwd")
    refused(tmp_path / "a.zip", f"member 1 is {said}")


@every_kind
def test_a_bomb(tmp_path, name, monkeypatch):
    monkeypatch.setattr(archive, "SMALL", 1_000_000)
    monkeypatch.setattr(archive, "RATIO", 100 if name.lower().endswith(("zip", "gz")) else 0.5)
    path = make(tmp_path / name, {f"sick/{n}.png": bytes(400_000) for n in range(3)})
    if path.name.endswith("TGZ"):  # a tar of any name can be packed
        path.write_bytes(gzip.compress(path.read_bytes()))
    refused(path, r"unpacks to more than 0.0 GB")
    monkeypatch.setattr(archive, "SMALL", 3_000_000)
    assert len(labels(path)) == 3


@every_kind
def test_a_disk_without_room(tmp_path, name, monkeypatch):
    full = shutil.disk_usage(tmp_path)._replace(free=archive.SPARE + 100)
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda path: full)
    refused(make(tmp_path / name, {"sick/a.png": NOISE}), "make room")


@every_kind
def test_too_many_members(tmp_path, name, monkeypatch):
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    path = make(tmp_path / name, {f"sick/{n}.png": b"1" for n in range(4)})
    refused(path, "more than 3 members")


def test_a_header_too_long_to_read_at_once(tmp_path):
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, archive.LONGEST_READ * 2
    whole = header.tobuf() + bytes(header.size + 2 * archive.BLOCK)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(whole, 1))
    refused(tmp_path / "a.tar.gz", "ReadError")


def test_a_sparse_member(tmp_path):
    """Its size stands in the header alone, and could be any."""
    member = tarfile.TarInfo("sick/a.png")
    member.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % 1000
    header[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(header))[0]
    (tmp_path / "a.tar").write_bytes(bytes(header) + bytes(2 * archive.BLOCK))
    refused(tmp_path / "a.tar", "member 1 is a special file")


@every_kind
@pytest.mark.parametrize("kept", [0, 0.1, 0.5, 0.9, 0.98])
def test_cut_short(tmp_path, name, kept):
    path = make(tmp_path / name, {"sick/a.png": NOISE, f"well/{SURNAME}.png": NOISE})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    refused(path, "damaged or cut short")


def test_a_tar_cut_between_two_members(tmp_path):
    path = make_tar(tmp_path / "a.tar", {"sick/a.png": bytes(512), "well/b.png": bytes(512)})
    path.write_bytes(path.read_bytes()[: 2 * archive.BLOCK])
    refused(path, "damaged or cut short")


def test_bytes_that_changed(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"sick/a.png": NOISE})
    content = bytearray(path.read_bytes())
    content[25_000] ^= 0xFF
    path.write_bytes(content)
    refused(path, "damaged or cut short")
    path = make_tar(tmp_path / "a.tar.gz", {"sick/a.png": NOISE})
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF  # gzip's checksum, which stands after all that a tar reader reads
    path.write_bytes(content)
    refused(path, "damaged or cut short")


def test_an_encrypted_zip(tmp_path):
    path = make_zip(tmp_path / "a.zip", {f"sick/{SURNAME}.png": NOISE})
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.index(signature) + flags
        content[at : at + 2] = struct.pack("<H", struct.unpack("<H", content[at : at + 2])[0] | 1)
    path.write_bytes(content)
    refused(path, "is encrypted: unpack it yourself")


@every_kind
def test_two_members_of_one_name(tmp_path, name):
    files = {"sick/a.png": b"1", "sick//a.png": b"2"}
    refused(make(tmp_path / name, files), "File exists")


def test_what_no_archive_is(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"text")
    refused(tmp_path / "a.zip", "BadZipFile")
    (tmp_path / "a.tar").write_bytes(b"text")
    refused(tmp_path / "a.tar", "ReadError")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_archive_that_may_not_be_read(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"sick/a.png": b"1"})
    path.chmod(0)
    refused(path, "Permission denied")


@pytest.mark.parametrize("make_one", [make_zip, make_tar])
def test_damage_anywhere_ends_in_a_message(tmp_path, make_one: Callable[[Path, Files], Path]):
    path = tmp_path / ("a.zip" if make_one is make_zip else "a.tar.gz")
    whole = make_one(path, {"sick/a.png": NOISE[:2000], "well/b.png": NOISE[:100]}).read_bytes()
    rng = np.random.default_rng(2)
    for _ in range(150):
        content = bytearray(whole)
        for at in rng.integers(0, len(content), 3):
            content[at] = rng.integers(256)
        path.write_bytes(content)
        try:
            unpacked = archive.unpack(path)
        except SourceError:
            continue
        assert all(file.is_relative_to(unpacked) for file in unpacked.rglob("*"))
