"""Several devices, and several machines on loopback, reach the weights of one."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from worlds.project import ROOT

# Dropout is a replica's own, so the head's is switched off.
SCRIPT = """
import sys
import keras, numpy as np, tensorflow as tf
from tasks.networks import device

devices, kind, dies, out = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
device.prepare(1, 5, devices)
from tasks.networks import fit
from worlds.feeds import CUT, make_data, start, train

assert (device.replicas().count if device.replicas() else 1) == devices * device.machines()
saved = fit.Checkpoint.save
def save(self, model, state):
    saved(self, model, state)
    if len(state.history) == dies:
        print("dies", flush=True)
        sys.exit(9)
fit.Checkpoint.save = save
with device.scope():
    model = start()
model.get_layer("dropout").rate = 0.0
given = make_data(count=0 if kind == "on_the_fly" else 1)
feed, history, weights = train(model, CUT, given)
losses = [entry[name] for entry in history for name in ("loss", "val_loss", "val_auroc")]
np.savez(out, *weights, losses=losses)
"""


def start(tmp_path, name, devices=1, kind="stored", machine=0, ports=(), dies=0):
    spec = {
        "cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]},
        "task": {"type": "worker", "index": machine},
    }
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
        "MEDLOOP_STATE": str(tmp_path / f"state-{name}"),
        "TF_CONFIG": json.dumps(spec) if ports else "{}",
    }
    out = tmp_path / f"{name}-{machine}.npz"
    command = [sys.executable, "-c", SCRIPT, str(devices), kind, str(dies), str(out)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=environment, **pipes), out


def result(started, code=0):
    process, out = started
    try:
        printed, _ = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == code, printed
    return (printed, np.load(out)) if code == 0 else (printed, None)


def ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    found = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return found


def assert_same(found, expected):
    """Weights and losses on val to the last bits; the running loss counts what fills a batch up."""
    for name in expected.files:
        if name != "losses":
            assert np.allclose(found[name], expected[name], atol=1e-5), name
    one, other = (values["losses"].reshape(-1, 3) for values in (found, expected))
    assert np.allclose(one[:, 1], other[:, 1], atol=1e-5)
    assert np.allclose(one[:, 0], other[:, 0], rtol=0.02)
    assert not np.allclose(other[0, 0], other[-1, 0], atol=1e-4), "nothing was learnt"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stored", "on_the_fly"])
def test_several_devices_of_a_machine_reach_the_weights_of_one(tmp_path, kind):
    """Three, which do not divide a batch of 16, nor the last one of 8."""
    _, expected = result(start(tmp_path, "one", kind=kind))
    _, found = result(start(tmp_path, "three", devices=3, kind=kind))
    assert_same(found, expected)


@pytest.mark.slow
def test_several_machines_reach_the_weights_of_one(tmp_path):
    _, expected = result(start(tmp_path, "one"))
    names = {"ports": ports(2), "name": "two"}
    both = [start(tmp_path, machine=machine, **names) for machine in (0, 1)]
    for started in both:
        assert_same(result(started)[1], expected)
    assert (tmp_path / "state-two" / "machine-1" / "prefix").is_dir()


@pytest.mark.slow
def test_several_machines_go_on_where_the_first_one_stood(tmp_path):
    """The second one keeps no checkpoint, and takes that of the first."""
    _, expected = result(start(tmp_path, "one"))
    killed = ports(2)
    for started in [start(tmp_path, "two", machine=m, ports=killed, dies=2) for m in (0, 1)]:
        assert "dies" in result(started, code=9)[0]
    assert not (tmp_path / "state-two" / "machine-1" / "checkpoints").exists()
    again = ports(2)
    both = [start(tmp_path, "two", machine=m, ports=again) for m in (0, 1)]
    told = [result(started) for started in both]
    assert "Going on after epoch 2" in told[0][0]
    for printed, found in told:
        assert "Epoch 1/" not in printed
        assert_same(found, expected)


def test_more_devices_than_there_are_is_an_error():
    script = "from tasks.networks import device; device.prepare(1, 5, 64)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "TrainingError: required: 64 devices (train.devices)" in done.stderr
