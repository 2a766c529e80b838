"""The way back from an id to the file at the source."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from worlds.pull import SOURCE, broken, cohort, configure, file_id, image, run, unkey

from tasks import pull, withdraw
from tasks.common import digests
from tasks.common.errors import DataError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.common.paths import StateEntry
from tasks.intake import originals
from tasks.intake.exclusion import exclude
from tasks.intake.originals import where


@pytest.fixture(autouse=True)
def pulled(source):
    """Four images in two classes."""
    run()


def test_where_prints_the_name_at_the_source(monkeypatch, capsys):
    ids = [file_id(SOURCE / name) for name in ("sick/Smith_0.png", "well/Smith_1.png")]
    monkeypatch.setattr(sys, "argv", ["tasks.pull", "--where", ids[0], ids[1][:12]])
    pull.main()
    assert capsys.readouterr().out == (f"{ids[0]}  sick/Smith_0.png\n{ids[1]}  well/Smith_1.png\n")


def test_only_the_owner_may_read_the_names():
    assert StateEntry.ORIGINALS.path.stat().st_mode & 0o777 == 0o600


def test_every_image_of_data_raw_has_its_names():
    """Known, refused, excluded, changed, and in two places."""
    exclude(load(Params), [file_id(SOURCE / "sick/Smith_0.png")])
    old = file_id(SOURCE / "sick/Smith_2.png")
    image("sick/Smith_2.png", 70)
    broken("sick/broken.png")
    shutil.copy(SOURCE / "well/Smith_1.png", SOURCE / "well/copy.png")
    StateEntry.ORIGINALS.path.unlink()
    run()
    named = {line.split("  ")[0]: line.split("  ")[1] for line in where(cohort()["image_id"])}
    at = ("sick/Smith_0.png", "sick/broken.png", "well/copy.png", "well/Smith_3.png")
    assert named == {file_id(SOURCE / name): name for name in at} | {old: "sick/Smith_2.png"}
    places = [line.split("  ")[1] for line in where([file_id(SOURCE / "well/copy.png")])]
    assert places == ["well/Smith_1.png", "well/copy.png"]


def test_ids_of_before_they_were_keyed_have_names_too():
    unkey()
    run()
    (line,) = where([digests.of_file(SOURCE / "sick/Smith_0.png")[:12]])
    assert line.endswith("  sick/Smith_0.png")


def test_frame_is_named():
    file = file_id(SOURCE / "sick/Smith_0.png")
    assert where([f"{file[:12]}-3"]) == [f"{file}-3  sick/Smith_0.png, frame 3"]


def test_names_of_another_source_stay_until_nothing_stands_for_them():
    first = file_id(SOURCE / "sick/Smith_0.png")
    SOURCE.rename("first")
    image("sick/later.png", 70)
    configure(pull__path=str(SOURCE))
    run()
    assert len(where([first, file_id(SOURCE / "sick/later.png")])) == 2
    originals.note({}, {first})
    with pytest.raises(DataError, match="no file has"):
        where([file_id(SOURCE / "sick/later.png")])


def test_names_go_with_a_withdrawal_and_of_the_withdrawn_stay_away(monkeypatch):
    first, second = (file_id(SOURCE / f"sick/Smith_{number}.png") for number in (0, 2))
    monkeypatch.setattr(withdraw.purge, "purge", lambda images, remote: withdraw.purge.Purged(0))
    withdraw.withdraw(load(Params), first)
    assert not StateEntry.ORIGINALS.path.exists()
    run()
    assert where([second])
    with pytest.raises(DataError, match="no file has"):
        where([first])


@pytest.mark.parametrize("given", ["Smith_Jane", "0" * 64, "", "abc"])
def test_unknown_id_is_an_error_that_does_not_repeat_it(given):
    with pytest.raises(DataError, match=r"no file has.*python -m tasks\.pull") as caught:
        where([given])
    assert not given or given not in str(caught.value)


def test_beginning_of_two_files_is_an_error():
    files = {f"{'a' * 10}{number}": ["x"] for number in range(2)}
    originals.note(files, files.keys())
    with pytest.raises(DataError, match="several files begin with"):
        where(["a" * 10])


def test_names_that_are_no_text_are_printed_in_escapes():
    files = {"a" * 64: [os.fsdecode(b"sick/\xff.png"), "sick/a\nb.png", "sick/M\u00fcller.png"]}
    originals.note(files, files.keys())
    shown = [line.split("  ")[1] for line in where(["a" * 64])]
    assert shown == ["'sick/\\udcff.png'", "'sick/a\\nb.png'", "sick/M\u00fcller.png"]
