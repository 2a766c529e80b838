import subprocess
import sys
from types import SimpleNamespace

import pytest
import tensorflow as tf
from worlds.project import ROOT, environment

from tasks.networks import tensorflow_backend

SCRIPT = """
from tasks.common.errors import TrainingError
from tasks.networks import device
import keras, tensorflow as tf

device.prepare(threads=1, seed=5)
assert tf.config.threading.get_intra_op_parallelism_threads() == 1
assert not tf.config.experimental.tensor_float_32_execution_enabled()
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


@pytest.mark.parametrize(
    ("named", "in_use", "expected"),
    [
        (None, 1, 70),
        (None, 2, 5),
        ("2,0", 1, 30),
        ("2,0", 2, 30),
        ("GPU-8932f937", 1, 70),
        ("", 0, None),
    ],
)
def test_the_memory_that_counts_is_that_of_the_gpus_in_use(monkeypatch, named, in_use, expected):
    """Others may fill a GPU beside it; `CUDA_VISIBLE_DEVICES` hides some, and sets their order."""
    free = [70, 5, 30]
    nvml = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: len(free),
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetMemoryInfo": lambda gpu: SimpleNamespace(free=free[gpu]),
    }
    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(**nvml))
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind] * in_use)
    if named is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert tensorflow_backend.memory() == expected
