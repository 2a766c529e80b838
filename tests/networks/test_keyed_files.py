import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from worlds.project import ROOT

from tasks.networks import keyed_files

HOLDS = """
import sys, time
from pathlib import Path
from tasks.networks import keyed_files
with keyed_files.alone(Path(sys.argv[1]), "key"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def holding(folder, seconds):
    """Another process that makes what `key` names."""
    command = [sys.executable, "-c", HOLDS, str(folder), str(seconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def age(folder, names):
    """Files of growing age of use: the first was used the longest ago."""
    for when, name in enumerate(names):
        (folder / name).touch()
        os.utime(folder / name, (when, when))


def names(folder):
    return {file.name for file in folder.iterdir()}


def test_files_of_a_key_go_together(tmp_path):
    age(tmp_path, ["old.a.draft", "new.a.npy", "new.b.npy", "old.a.mark", "last.a.npy"])
    keyed_files.make_room(tmp_path, 4)
    assert names(tmp_path) == {"last.a.npy", "old.a.draft", "old.a.mark"}
    keyed_files.make_room(tmp_path, 2)
    assert names(tmp_path) == {"last.a.npy"}
    keyed_files.make_room(tmp_path, 0)
    assert names(tmp_path) == {"last.a.npy"}


def test_the_oldest_goes_first_and_what_is_spared_stays(tmp_path):
    age(tmp_path, ["spared.a.npy", "old.a.npy", "new.a.npy", "old.b.npy"])
    assert keyed_files.drop_oldest(tmp_path, {"spared"})
    assert names(tmp_path) == {"spared.a.npy", "new.a.npy"}
    assert keyed_files.drop_oldest(tmp_path, {"spared"})
    assert not keyed_files.drop_oldest(tmp_path, {"spared"})
    assert names(tmp_path) == {"spared.a.npy"}


def test_what_another_process_makes_stays_until_it_is_killed(tmp_path):
    with holding(tmp_path, 60):
        age(tmp_path, ["key.a.draft", "key.lock", "last.a.npy"])
        keyed_files.make_room(tmp_path, 0)
        assert not keyed_files.drop_oldest(tmp_path, {"last"})
        assert names(tmp_path) == {"key.a.draft", "key.lock", "last.a.npy"}
    age(tmp_path, ["key.a.draft", "key.lock", "last.a.npy"])
    keyed_files.make_room(tmp_path, 0)
    assert names(tmp_path) == {"last.a.npy"}


def test_one_process_at_a_time(tmp_path, capsys):
    with holding(tmp_path, 1) as process, keyed_files.alone(tmp_path, "key"):
        assert process.poll() is not None or process.wait(60) == 0
    assert "Waiting for another run" in capsys.readouterr().out
    assert not names(tmp_path)


def test_several_that_wait_take_turns(tmp_path):
    """Though each removes the lock that the others wait for."""
    inside, most = [], []

    def work():
        with keyed_files.alone(tmp_path, "key"):
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [1] * 8


def test_an_error_frees_the_key(tmp_path):
    with pytest.raises(KeyError), keyed_files.alone(tmp_path, "key"):
        raise KeyError
    with keyed_files.alone(tmp_path, "key"):
        pass
