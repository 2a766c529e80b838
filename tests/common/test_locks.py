import os
import subprocess
import sys

import pytest

from tasks.common import locks

HOLD = """
import sys, time
from pathlib import Path
from tasks.common import locks
with locks.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_holder_is_named_and_a_killed_one_holds_nothing(tmp_path):
    path = tmp_path / "new" / "a.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()
        with pytest.raises(locks.HeldError, match=f"process {holder.pid}"), locks.held(path):
            pass
        holder.kill()
    with locks.held(path):
        assert path.read_text() == str(os.getpid())


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"x" * 10**6])
def test_what_stands_in_the_file_does_not_matter(tmp_path, content):
    path = tmp_path / "a.lock"
    path.write_bytes(content)
    with locks.held(path):
        assert path.read_text() == str(os.getpid())
