"""Withdrawal: nothing in the workspace shows the patient any more, and no pull brings it back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from worlds.project import environment
from worlds.pull import (
    ELSEWHERE,
    SOURCE,
    cohort,
    configure,
    external,
    file_id,
    image,
    run,
    tree,
    unkey,
)

from tasks import key, pull, withdraw
from tasks.common import digests, manifest, paths
from tasks.common.errors import DataError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake import cohort as tables
from tasks.intake import data_versions, purge
from tasks.privacy.pseudonyms import Pseudonyms, load_key
from tasks.splitting import assignment

PIPELINE = """
stages:
  preprocess:
    cmd: mkdir -p data/processed && cat data/raw/*/* > data/processed/pack.json
    deps: [data/raw]
    outs: [data/processed/pack.json]
  explain:
    cmd: mkdir -p reports/explain && cp data/processed/pack.json reports/explain/picture.png
    deps: [data/processed/pack.json]
    outs: [reports/explain]
"""
MEASURED = """
stages:
  evaluate:
    cmd: mkdir -p reports && find data/external -type f | sort | xargs cat > reports/metrics.json
    deps: [data/external]
    outs: [reports/metrics.json]
"""
PATIENTS = ("Smith^Jane", "Jones^Ann", "Brown^Tim")
PATIENT = PATIENTS[0]


def list_images(**renamed: str) -> None:
    """A table of two images per patient; `renamed` gives an image another name and no patient."""
    rows = ["file,label,patient_id"]
    for number in range(6):
        name, label = f"{number}.png", ("sick", "well")[number % 2]
        new = renamed.get(f"image_{number}")
        rows.append(f"{new or name},{label},{'' if new else PATIENTS[number // 2]}")
        image(new or name, number)
    (SOURCE / "l.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def patients(workspace: Path) -> Path:
    """Six images of three patients at the source, and a key."""
    list_images()
    table = {"pull__path": str(SOURCE / "l.csv"), "pull__source": "folder"}
    configure(**table, task__classes=["sick", "well"])
    key.main()
    return workspace


@pytest.fixture
def unversioned(patients: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same without DVC, pulled."""
    monkeypatch.setattr(data_versions, "has_remote", lambda: False)
    monkeypatch.setattr(data_versions, "restore", lambda remote, place=None: None)
    monkeypatch.setattr(
        data_versions, "save", lambda place=paths.OWN: place.version.write_text("a version")
    )
    monkeypatch.setattr(purge, "purge", lambda images, remote: purge.Purged(0))
    run()
    return patients


def dvc(*arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
    return done.stdout


def pseudonym(patient: str) -> str:
    return Pseudonyms(load_key(load(Params))).patient(patient)


def contents(patient: str) -> list[bytes]:
    mine = cohort()["patient_id"] == pseudonym(patient)
    return [(paths.RAW / path).read_bytes() for path in cohort().loc[mine, "path"]]


def holding(content: bytes) -> list[Path]:
    """Where in the workspace, the sources apart, these bytes lie."""
    sources = {SOURCE, ELSEWHERE}
    files = (f for f in Path().rglob("*") if f.is_file() and not sources.intersection(f.parents))
    return [file for file in files if content in file.read_bytes()]


def go(patient: str = PATIENT) -> str:
    return withdraw.withdraw(load(Params), patient)


@pytest.mark.usefixtures("patients")
def test_a_withdrawn_patient_is_gone_and_stays_gone():
    paths.DVC_YAML.write_text(PIPELINE)
    dvc("init", "--no-scm", "--quiet")
    dvc("remote", "add", "--default", "store", str(Path("store").resolve()))
    run()
    dvc("repro")
    dvc("push")
    mine, version = contents(PATIENT), paths.RAW_DVC.read_text()
    other = contents(PATIENTS[1])[0]
    for home in (paths.state(), paths.state_of_machine(1)):
        pack = home / "packs/some/pixels.npy"
        pack.parent.mkdir(parents=True)
        pack.write_bytes(b"".join(mine))
    paths.VERDICT.write_bytes(b"".join(mine))
    # raw, out, out: 3 + 2 + 2; state of two machines; the page that the gate completes
    assert [len(holding(content)) for content in mine] == [10, 10]

    said = go()
    assert [holding(content) for content in mine] == [[], []]
    assert len(holding(other)) == 3
    assert "2 files" in said
    assert not any(name in said for name in ("Smith", "Jane", pseudonym(PATIENT)))
    assert dvc("status", "--json", str(paths.RAW_DVC)).strip() == "{}"

    assert "0 objects deleted" in go(pseudonym(PATIENT))  # again, by the other name
    list_images(image_0="nobody.png")
    summary = run()
    assert (summary.new, summary.withdrawn, summary.known) == (0, 2, 4)
    assert "2 files of withdrawn patients" in str(summary)

    paths.RAW_DVC.write_text(version)  # nor with an old version
    with pytest.raises(DataError, match="neither in the cache nor at the default remote"):
        run()
    assert [holding(content) for content in mine] == [[], []]


def list_external() -> None:
    """An image of the patient and one of somebody else, elsewhere."""
    image("a.png", 70, ELSEWHERE)
    image("b.png", 71, ELSEWHERE)
    rows = ["file,label,patient_id", f"a.png,sick,{PATIENT}", "b.png,well,Miller^Eve"]
    (ELSEWHERE / "l.csv").write_text("\n".join(rows) + "\n")
    configure(evaluate__external={"source": "folder", "path": str(ELSEWHERE / "l.csv")})


@pytest.mark.usefixtures("patients")
def test_a_withdrawn_patient_is_gone_from_external_images_and_what_was_made_of_them():
    paths.DVC_YAML.write_text(MEASURED)
    paths.EXTERNAL.mkdir(parents=True)
    (paths.EXTERNAL / "README.md").write_text("what lies here")
    dvc("init", "--no-scm", "--quiet")
    run()
    dvc("repro")
    untouched = paths.METRICS.read_bytes()
    list_external()
    pull.pull_external(load(Params))
    dvc("repro")
    mine, other = (
        (paths.OTHERS.folder / external().query("patient_id == @who")["path"].iloc[0]).read_bytes()
        for who in map(pseudonym, (PATIENT, "Miller^Eve"))
    )
    # data/external/raw and the out, each also in the cache
    assert (len(holding(mine)), len(holding(other))) == (4, 4)

    said = go()
    assert "3 files, from data/raw and data/external/raw" in said
    assert "commit data/raw.dvc and data/external/raw.dvc" in said
    assert holding(mine) == []
    assert len(holding(other)) == 2
    assert dvc("status", "--json", str(paths.OTHERS.version)).strip() == "{}"
    assert untouched in [
        file.read_bytes() for file in Path(".dvc/cache").rglob("*") if file.is_file()
    ]
    summary = pull.pull_external(load(Params))
    assert (summary.new, summary.withdrawn, summary.known) == (0, 1, 1)


@pytest.mark.usefixtures("unversioned")
def test_who_is_withdrawn_does_not_come_back_as_external():
    go()
    list_external()
    summary = pull.pull_external(load(Params))
    assert (summary.new, summary.withdrawn) == (1, 1)
    go("Miller^Eve")
    assert external().empty
    configure(evaluate__external=None, pull__path=str(ELSEWHERE / "l.csv"))
    assert (run().new, run().withdrawn) == (0, 2)


@pytest.mark.usefixtures("patients")
def test_versions_under_both_kinds_of_ids_are_purged():
    """The second is the first as it was before ids were keyed."""
    dvc("init", "--no-scm", "--quiet")
    run()
    mine = contents(PATIENT)
    unkey()
    data_versions.save()
    assert [len(holding(content)) for content in mine] == [2, 2]
    go()
    assert [holding(content) for content in mine] == [[], []]


@pytest.mark.usefixtures("unversioned")
@pytest.mark.parametrize("of_before", [False, True])
@pytest.mark.parametrize("name", [file_id, digests.of_file])
def test_a_file_goes_by_either_of_its_ids(of_before, name):
    if of_before:
        unkey()
    go(name(SOURCE / "0.png"))
    assert len(cohort()) == 5
    go(name(SOURCE / "0.png"))  # again, with no row left
    assert (run().new, run().withdrawn) == (0, 1)


@pytest.mark.usefixtures("unversioned")
@pytest.mark.parametrize("step", ["write", "sweep", "save", "purge", "_remove_derived"])
def test_killed_and_run_again_ends_the_same(monkeypatch, step):
    """Without DVC, so what restoring would bring back is not."""
    mine = contents(PATIENT)

    def die(*_):
        raise KeyboardInterrupt

    room = {"write": tables, "sweep": tables, "save": data_versions, "purge": purge}.get(
        step, withdraw
    )
    with monkeypatch.context() as patch:
        patch.setattr(room, step, die)
        with pytest.raises(KeyboardInterrupt):
            go()
    assert "2 files" in go()
    assert [holding(content) for content in mine] == [[], []]
    record = json.loads(paths.WITHDRAWN.read_text())["patients"]
    assert list(record) == [pseudonym(PATIENT)]
    assert len(record[pseudonym(PATIENT)]) == 2
    assert len(cohort()) == 4
    assert run().withdrawn == 2


@pytest.mark.usefixtures("unversioned")
def test_an_unknown_patient_is_an_error_that_does_not_repeat_the_id():
    before = tree()
    with pytest.raises(DataError, match="by the id as the source has it") as caught:
        go("Miller^Eve")
    assert "Miller" not in str(caught.value)
    assert tree() == before


@pytest.mark.usefixtures("unversioned")
def test_one_file_can_be_withdrawn_by_its_image_id():
    first = cohort()["image_id"].iloc[0]
    go(first)
    assert first not in set(cohort()["image_id"])
    assert len(cohort()) == 5
    summary = run()
    assert (summary.new, summary.withdrawn) == (0, 1)


@pytest.mark.usefixtures("unversioned")
def test_a_new_image_of_a_withdrawn_patient_is_not_brought():
    go()
    with (SOURCE / "l.csv").open("a") as table:
        table.write(f"later.png,sick,{PATIENT}\n")
    image("later.png", 50)
    summary = run()
    assert (summary.new, summary.withdrawn) == (0, 3)


@pytest.mark.usefixtures("unversioned")
def test_every_patient_can_go():
    for patient in PATIENTS:
        go(patient)
    assert cohort().empty
    assert (run().new, run().withdrawn) == (0, 6)


@pytest.mark.usefixtures("unversioned")
@pytest.mark.parametrize("patient", PATIENTS)
def test_nobody_else_changes_side(patient):
    settings = load(Params).split.model_copy(update={"val": 0.3, "test": 0.3})

    def sides() -> dict[str, str]:
        table = manifest.read(paths.COHORT, manifest.COHORT)
        table["group"] = table["patient_id"].fillna(table["image_id"])
        return dict(zip(table["group"], assignment.assign(table, settings, "binary"), strict=True))

    before = sides()
    assert len(set(before.values())) == 3
    go(patient)
    assert sides() == before
    row = manifest.read(paths.COHORT, manifest.COHORT).query("reason == 'withdrawn'").iloc[0]
    known = row[row.notna()].index.tolist()
    assert known == ["image_id", "reason", "batch", "label", "patient_id"]


@pytest.mark.usefixtures("unversioned")
def test_a_remote_that_fails_is_told_after_everything_here_is_gone(monkeypatch):
    def fail(place: paths.Place) -> None:
        raise DataError("no route")

    mine = contents(PATIENT)
    monkeypatch.setattr(data_versions, "has_remote", lambda: True)
    monkeypatch.setattr(data_versions, "push", fail)
    failed = purge.Purged(2, "ConnectionError")
    monkeypatch.setattr(purge, "purge", lambda images, remote: failed)
    said = go()
    assert "the remote could not be purged (ConnectionError)" in said
    assert "not at the remote: no route" in said
    assert [holding(content) for content in mine] == [[], []]


def write_manifest(groups: dict[str, str]) -> None:
    """The cohort as if split, with patients in the groups of others."""
    table = cohort()
    table["group"] = table["patient_id"].map(lambda patient: groups.get(patient, patient))
    manifest.write(table.assign(status="ok", row=0), paths.MANIFEST, manifest.MANIFEST)


@pytest.mark.usefixtures("unversioned")
def test_who_was_joined_by_the_pictures_that_go_is_remembered():
    first, second, third = map(pseudonym, PATIENTS)
    write_manifest({second: first})
    go(PATIENTS[2])
    assert tables.read_joined() == {}
    write_manifest({second: first})
    go()
    assert tables.read_joined() == {second: first}
    paths.MANIFEST.unlink(missing_ok=True)
    go()  # again, as after a kill
    assert tables.read_joined() == {second: first}
    assert third not in tables.read_joined()


@pytest.mark.usefixtures("unversioned")
def test_without_the_manifest_of_data_that_were_split_nothing_goes():
    paths.DVC_LOCK.write_text(f"outs: [{{path: {paths.MANIFEST}}}]\n")
    before = tree()
    with pytest.raises(DataError, match="dvc checkout"):
        go()
    assert tree() == before
