import collections
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from worlds.project import ROOT

from tasks.common import paths
from tasks.common.errors import RegistryError
from tasks.registry import sqlite_file
from tasks.registry.store import connect, open_experiment


@pytest.fixture
def database(workspace, empty_store):
    paths.store().mkdir()
    return Path(shutil.copy(empty_store, paths.store() / "mlflow.db"))


def execute(database, statement):
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute(statement)


def garbage(database):
    database.write_bytes(b"no database " * 400)


def cut(database):
    database.write_bytes(database.read_bytes()[:20_000])


def outdated(database):
    execute(database, "UPDATE alembic_version SET version_num = '451aebb31d03'")


def of_the_future(database):
    execute(database, "UPDATE alembic_version SET version_num = 'fffffffffff0'")


def foreign(database):
    database.unlink()
    execute(database, "CREATE TABLE patients (name)")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (garbage, "file is not a database. Restore the file from a backup, or move it away"),
        (cut, "database disk image is malformed. Restore"),
        (
            outdated,
            "one by an older MLflow. .*`python -m mlflow db upgrade 'sqlite:////.*mlflow.db'`",
        ),
        (of_the_future, "one by a newer MLflow. `make setup`"),
        (foreign, "one by another program. Let MLFLOW_TRACKING_URI name another file"),
    ],
)
def test_a_store_that_mlflow_cannot_use_is_told_in_one_line(database, break_it, said):
    break_it(database)
    with pytest.raises(RegistryError, match=said) as raised:
        sqlite_file.check(database)
    assert "\n" not in str(raised.value)
    with pytest.raises(RegistryError, match=said):
        connect()


def test_a_store_that_another_program_holds_is_told(database, monkeypatch):
    monkeypatch.setattr(sqlite_file, "SECONDS", 0.1)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RegistryError, match=r"locked\. Another program holds it"):
            sqlite_file.check(database)


def test_a_full_disk_is_told_before_work_begins(database, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")(10**9, 9 * 10**8, 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(RegistryError, match=r"0\.2 GB free .* received: 0\.10\. Make room"):
        sqlite_file.check(database)


def test_a_file_where_the_folder_should_be_is_told(workspace):
    (workspace / "blocked").write_text("a file")
    with pytest.raises(RegistryError, match="a folder for the MLflow store"):
        sqlite_file.check(workspace / "blocked/mlflow.db")


def test_a_look_changes_nothing_and_imports_no_mlflow(database):
    before = database.read_bytes()
    code = "import sys, tasks.check_store as c; c.main(); sys.exit('mlflow' in sys.modules)"
    here = os.environ | {"PYTHONPATH": os.fspath(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=here, stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, f"MLflow: {database}\n")
    assert database.read_bytes() == before


def begin():
    """A run with a file, in the current workspace."""
    store = open_experiment("medloop")
    run_id = store.client.create_run(store.experiment_id).info.run_id
    store.client.log_text(run_id, "before", "note.txt")
    return run_id


def read(run_id, name="note.txt"):
    return Path(connect().download_artifacts(run_id, name)).read_text()


@pytest.fixture
def enter(monkeypatch):
    """Go on in another folder as a new process would: MLflow leaves its address in this one."""

    def go(folder):
        monkeypatch.chdir(folder)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    return go


def artifacts(workspace):
    return {file for file in (workspace / "mlruns/artifacts").rglob("*") if file.is_file()}


def test_a_workspace_that_is_moved_goes_on(database, workspace, enter, capsys):
    run_id, new = begin(), workspace.with_name("a new name, 100 %")
    workspace.rename(new)
    enter(new)
    assert read(run_id) == "before"
    store = open_experiment("medloop")
    store.client.log_text(store.client.create_run(store.experiment_id).info.run_id, "after", "a")
    assert len(artifacts(new)) == 2
    assert not workspace.exists()
    told = f"The MLflow store came from {workspace / 'mlruns'}: it names its files in {new}/mlruns"
    assert capsys.readouterr().out.count(told) == 1


def test_a_copy_writes_into_itself_and_the_original_stays(database, workspace, enter):
    run_id, copy = begin(), workspace.with_name("copy")
    shutil.copytree(workspace, copy)
    before = database.read_bytes(), artifacts(workspace)
    enter(copy)
    begin()
    assert len(artifacts(copy)) == 2
    assert connect().get_run(run_id).info.artifact_uri.startswith(copy.as_uri())
    enter(workspace)
    connect()
    assert (database.read_bytes(), artifacts(workspace)) == before


def test_what_went_to_the_old_folder_after_a_move_is_still_found(
    database, workspace, monkeypatch, enter
):
    """As the versions before this one left it."""
    begun, new = begin(), workspace.with_name("new")
    workspace.rename(new)
    enter(new)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file, "bring_home", lambda path: None)
        late = begin()
    assert artifacts(workspace)
    assert (read(begun), read(late)) == ("before", "before")
    begin()
    assert (len(artifacts(workspace)), len(artifacts(new))) == (1, 2)


def test_an_experiment_that_keeps_its_files_elsewhere_is_left_alone(database, tmp_path):
    begin()
    elsewhere = (tmp_path / "disk/mlruns/artifacts").as_uri()
    Path(tmp_path / "disk/mlruns/artifacts").mkdir(parents=True)
    places = [elsewhere, "s3://bucket/mlruns/artifacts"]
    made = [connect().create_experiment(p, artifact_location=p) for p in places]
    assert [connect().get_experiment(number).artifact_location for number in made] == places
