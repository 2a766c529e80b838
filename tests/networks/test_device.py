import subprocess
import sys

from worlds.project import ROOT, environment

SCRIPT = """
from tasks.common.errors import TrainingError
from tasks.networks import device
import keras, tensorflow as tf

device.prepare(threads=1, seed=5)
assert tf.config.threading.get_intra_op_parallelism_threads() == 1
first = float(keras.random.uniform(()))
device.prepare(threads=1, seed=5)
assert float(keras.random.uniform(())) == first
try:
    device.prepare(threads=2, seed=5)
except TrainingError as error:
    print(error)
"""


def test_threads_are_set_once_and_seeds_repeat():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(line.startswith("Computing on ") for line in lines[:2])
    assert "train.threads" in lines[2]
