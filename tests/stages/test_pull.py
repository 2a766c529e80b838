"""Pull: what is new comes in once, de-identified, as one batch, and is versioned."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

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
from tasks.common.errors import DataError, ParameterError, SourceError
from tasks.common.manifest import EXCLUDED
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.common.paths import StateEntry
from tasks.intake import cohort as tables
from tasks.intake import data_versions, originals
from tasks.sources import Listing, phantom


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
def test_unknown_class_stops_before_anything_is_written():
    image("odd/a.png", 9)
    with pytest.raises(DataError, match="1 images with 1 other labels") as caught:
        run()
    assert "odd" not in str(caught.value)
    assert "'odd'" in StateEntry.PULL_DETAILS.path.read_text()
    assert not paths.RAW.exists()


@pytest.mark.usefixtures("source")
def test_auto_writes_the_classes_found_and_says_which_is_positive():
    (SOURCE / "well").rename(SOURCE / "no_sickness")
    (SOURCE / "sick").rename(SOURCE / "sickness")
    configure(task__classes="auto")
    summary = run()
    assert load(Params).task.names == ["no_sickness", "sickness"]
    assert "+  - no_sickness\n+  - sickness\n" in str(summary)
    assert str(summary).splitlines()[-1] == "the positive class is sickness"


@pytest.mark.usefixtures("source")
def test_auto_stores_nothing_where_no_name_tells_which_is_positive():
    configure(task__classes="auto")
    with pytest.raises(ParameterError, match=r"--set 'task.classes=\[\"well\", \"sick\"\]'"):
        run()
    assert not paths.RAW.exists()
    assert load(Params).task.classes == "auto"


@pytest.mark.usefixtures("source")
def test_one_label_however_it_is_spelled():
    image("sick /a.png", 8)
    assert run().new == 5
    assert cohort()["label"].value_counts().to_dict() == {"sick": 3, "well": 2}


@pytest.mark.usefixtures("source")
def test_auto_refuses_classes_that_do_not_fit_the_kind():
    configure(task__classes="auto")
    image("third/a.png", 9)
    with pytest.raises(ParameterError, match="received: 3") as caught:
        run()
    assert not any(name in str(caught.value) for name in ("sick", "well", "third"))


@pytest.mark.usefixtures("source")
def test_auto_refuses_more_classes_than_there_can_be_without_their_names():
    configure(task__classes="auto", task__kind="multiclass")
    before = paths.PARAMS.read_text()
    for number in range(101):
        image(f"Jones_{number}/a.png", number)
    with pytest.raises(SourceError, match=r"received: 103; is pull\.path") as caught:
        run()
    assert "Jones" not in str(caught.value)
    assert paths.PARAMS.read_text() == before


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("writes", [0, 2, 4])
def test_killed_and_run_again_gives_the_same_data(monkeypatch, writes):
    run()
    for number in range(5):
        image(f"sick/later_{number}.png", 60 + number)
    shutil.copytree(paths.RAW, "before")
    run()
    expected = tree()
    shutil.rmtree(paths.RAW)
    shutil.copytree("before", paths.RAW)
    with monkeypatch.context() as patch:
        patch.setattr(tables, "write_image", killed_after(writes, tables.write_image))
        with pytest.raises(KeyboardInterrupt):
            run()
    (paths.RAW / ".cohort.parquet.123").write_bytes(b"half a table")
    run()
    assert tree() == expected


def killed_after(writes, write):
    left = iter(range(writes))

    def wrapped(*arguments) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(*arguments)

    return wrapped


@pytest.mark.usefixtures("source")
def test_killed_before_the_version_is_versioned_by_the_next(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(data_versions, "save", lambda place: None)
        run()
    assert not paths.RAW_DVC.exists()
    assert run().new == 0
    assert paths.RAW_DVC.exists()


def dvc(*arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.usefixtures("workspace")
def test_without_dvc_the_error_says_so():
    configure(pull__phantom__patients=10)
    with pytest.raises(DataError, match="dvc init"):
        run()


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("remote", [False, True])
def test_a_lost_cache_never_empties_the_folder(remote):
    dvc("init", "--no-scm", "--quiet")
    configure(pull__phantom__patients=10)
    run()
    before = tree()
    shutil.rmtree(".dvc/cache")
    if remote:
        dvc("remote", "add", "--default", "empty", str(Path.cwd() / "empty"))
    with pytest.raises(DataError, match="dvc add"):
        run()
    assert tree() == before


@pytest.mark.usefixtures("workspace")
def test_exclusion_is_part_of_the_version_of_the_data(monkeypatch):
    dvc("init", "--no-scm", "--quiet")
    configure(pull__phantom__patients=10)
    run()
    first = cohort()["image_id"].iloc[0]
    monkeypatch.setattr(sys, "argv", ["tasks.pull", "--exclude", first])
    pull.main()
    shutil.rmtree(paths.RAW)
    dvc("checkout", str(paths.RAW_DVC))
    assert cohort().set_index("image_id")["reason"].dropna().to_dict() == {first: EXCLUDED}


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("arguments", [[], ["--exclude", "0" * 64], ["--include", "0" * 64]])
def test_a_pull_beside_another_is_told_so(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["tasks.pull", *arguments])
    with tables.only_writer(), pytest.raises(SystemExit):
        pull.main()
    said = capsys.readouterr().err
    assert f"another pull or withdrawal works in this workspace (process {os.getpid()})" in said
    assert not paths.COHORT.exists()


@pytest.mark.usefixtures("workspace")
def test_phantom_is_pulled_versioned_and_pushed_without_its_names(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tasks.pull"])
    dvc("init", "--no-scm", "--quiet")
    dvc("remote", "add", "--default", "store", str(Path.cwd() / "store"))
    configure(pull__phantom__patients=10)
    pull.main()
    assert "of 10 patients as batch 0" in capsys.readouterr().out
    before = tree()
    kept = {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}
    for name in phantom.PLANTED_NAMES:
        assert not [path for path, content in kept.items() if name.encode() in content]
        assert not [path for path in kept if name in str(path)]
    table = cohort()
    assert table["patient_id"].nunique() == 10
    assert table[["study_id", "series_id", "instance_id", "site", "device"]].notna().all().all()

    # Another place with the same remote: the version comes back, and a killed pull's leftovers go.
    shutil.rmtree(".dvc/cache")
    shutil.rmtree(paths.RAW / table["path"].iloc[0][:2])
    paths.COHORT.write_bytes(b"half a table")
    assert run().new == 0
    assert tree() == before

    configure(pull__phantom__patients=12)
    version = paths.RAW_DVC.read_text()
    assert run().batch == 1
    assert paths.RAW_DVC.read_text() != version
    assert dvc("status", "--json", "data/raw.dvc").strip() == "{}"


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("full_at", [1, 3, 5])
def test_a_full_disk_loses_nothing_and_says_so(monkeypatch, full_at):
    """The fifth write is that of the identifiers."""
    count, write_bytes = iter(range(1, 9)), Path.write_bytes
    to_parquet = pd.DataFrame.to_parquet

    def full(write):
        def wrapped(target, *arguments, **options):
            if next(count) == full_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/Smith/x")
            return write(target, *arguments, **options)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full(write_bytes))
        patch.setattr(pd.DataFrame, "to_parquet", full(to_parquet))
        with pytest.raises(DataError, match=r"No space left on device.*make room") as caught:
            run()
    assert "Smith" not in str(caught.value)
    assert not list(paths.RAW.rglob(".*"))
    assert run().new == 4
    assert len(cohort()) == 4


@pytest.mark.usefixtures("source")
def test_a_file_that_vanishes_while_pulling_is_told_and_the_rerun_finishes(monkeypatch):
    listing = pull.open_source(load(Params))
    gone = SOURCE / "well/Smith_3.png"
    content = gone.read_bytes()
    gone.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(pull, "open_source", lambda _: listing)
        with pytest.raises(SourceError, match=r"cannot be read \(No such file") as caught:
            run()
    assert "Smith" not in str(caught.value)
    gone.write_bytes(content)
    assert run().new == 4


@pytest.mark.usefixtures("source")
def test_a_folder_that_cannot_be_read_is_told_without_its_name(monkeypatch):
    run()
    before = tree()

    def refuse(_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data/Smith")

    monkeypatch.setattr(pull, "open_source", refuse)
    with pytest.raises(SourceError, match=r"cannot be listed \(Permission denied\)") as caught:
        run()
    assert "Smith" not in str(caught.value)
    assert tree() == before


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
