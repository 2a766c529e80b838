"""Pull: what is new comes in once, de-identified, as one batch."""

from __future__ import annotations

import os
import shutil
import sys

import pandas as pd
import pytest
from worlds.pull import (
    ELSEWHERE,
    LABELS,
    SOURCE,
    cohort,
    configure,
    external,
    file_id,
    image,
    run,
    tree,
)

from tasks import pull
from tasks.common import digests, paths
from tasks.common.errors import DataError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.common.paths import StateEntry
from tasks.intake import cohort as tables
from tasks.intake import originals
from tasks.sources import Listing


@pytest.mark.usefixtures("source")
def test_images_come_in_under_a_keyed_id():
    summary = run()
    table = cohort()
    assert (summary.new, summary.batch, summary.known) == (4, 0, 0)
    assert table["image_id"].tolist() == sorted(map(file_id, SOURCE.rglob("*.png")))
    recorded = "\n".join([*tree(), table.to_csv()])
    assert not [file for file in SOURCE.rglob("*.png") if digests.of_file(file) in recorded]
    assert table["label"].value_counts().to_dict() == {"sick": 2, "well": 2}
    files = {path.relative_to(paths.RAW).as_posix() for path in paths.RAW.rglob("*.png")}
    assert files == set(table["path"])
    assert not [file for file in files if "Smith" in file]


@pytest.mark.usefixtures("source")
def test_a_second_pull_adds_nothing():
    run()
    before = tree()
    summary = run()
    assert (summary.new, summary.batch, summary.known) == (0, None, 4)
    assert tree() == before
    assert "nothing new" in str(summary)


@pytest.mark.usefixtures("source")
def test_external_images_come_into_a_place_of_their_own(monkeypatch, capsys):
    run()
    before = tree()
    for number in range(3):
        image(f"{LABELS[number % 2]}/Jones_{number}.png", 90 + number, ELSEWHERE)
    shutil.copy(SOURCE / "sick/Smith_0.png", ELSEWHERE / "sick/same.png")
    (ELSEWHERE / "sick/.hidden.png").write_bytes(b"")
    configure(evaluate__external={"source": "folder", "path": str(ELSEWHERE)})
    monkeypatch.setattr(sys, "argv", ["tasks.pull"])
    pull.main()
    said = capsys.readouterr().out
    assert "evaluate.external, in data/external/raw:" in said
    assert "4 new images" in said
    assert tree() == before
    table = external()
    assert table["label"].value_counts().to_dict() == {"sick": 3, "well": 1}
    assert file_id(SOURCE / "sick/Smith_0.png") in set(table["image_id"])  # evaluate leaves it out
    files = [str(path) for path in paths.OTHERS.folder.rglob("*")]
    assert not [file for file in files if "Jones" in file or "same" in file]
    assert paths.OTHERS.version.exists()
    ids = [file_id(ELSEWHERE / "well/Jones_1.png"), file_id(SOURCE / "well/Smith_1.png")]
    names = [line.split("  ")[1] for line in originals.where(ids)]
    assert names == ["well/Jones_1.png", "well/Smith_1.png"]
    assert (run().known, pull.pull_external(load(Params)).known) == (4, 4)


@pytest.mark.usefixtures("source")
def test_external_images_must_be_of_the_same_classes():
    image("cured/Jones_1.png", 90, ELSEWHERE)
    configure(evaluate__external={"source": "folder", "path": str(ELSEWHERE)})
    run()
    with pytest.raises(DataError, match=r"of evaluate\.external.*1 images with 1 other labels"):
        pull.pull_external(load(Params))
    assert "cured" in StateEntry.PULL_DETAILS.path.read_text()
    assert not paths.OTHERS.cohort.exists()
    configure(evaluate__external=None)
    run()
    assert pull.pull_external(load(Params)) is None
    assert not StateEntry.PULL_DETAILS.path.exists()


@pytest.mark.usefixtures("source")
def test_new_images_make_the_next_batch_and_leave_the_old_rows():
    run()
    before = cohort()
    image("sick/later.png", 50)
    image("well/later.png", 51)
    assert run().batch == 1
    after = cohort()
    pd.testing.assert_frame_equal(after.iloc[:4], before)
    assert after["batch"].tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("arguments", [[], ["--exclude", "0" * 64], ["--include", "0" * 64]])
def test_a_pull_beside_another_is_told_so(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["tasks.pull", *arguments])
    with tables.only_writer(), pytest.raises(SystemExit):
        pull.main()
    said = capsys.readouterr().err
    assert f"another pull or withdrawal works in this workspace (process {os.getpid()})" in said
    assert not paths.COHORT.exists()


@pytest.mark.usefixtures("source")
def test_details_go_to_a_private_file_and_not_to_the_log(monkeypatch):
    listed = pull.open_source(load(Params))
    told = Listing(listed.items, ["1 column dropped"], ["column dropped: Mrs Smith"])
    monkeypatch.setattr(pull, "open_source", lambda _: told)
    summary = run()
    path = StateEntry.PULL_DETAILS.path
    assert "1 column dropped" in str(summary)
    assert "Smith" not in str(summary)
    assert path.read_text() == "column dropped: Mrs Smith\n"
    assert path.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(pull, "open_source", lambda _: listed)
    run()
    assert not path.exists()
