"""The benchmarks of training measure what they say, on few images."""

import re
import subprocess
import sys
from datetime import date

import pytest
from worlds.project import ROOT, environment

pytestmark = pytest.mark.slow


def measured(module, *options, **variables):
    """What a benchmark prints; on few images its figure may miss the goal."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *options]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(**variables), capture_output=True, text=True, check=False
    )
    assert re.search(rf"^RESULT {module} [\d.e+-]+ goal [\d.]+$", done.stdout, re.M), done.stderr
    return done.stdout


def on(backend):
    """The variables for it; on JAX with no more wheels than the docstring of `gpu` lists."""
    wheels = {"PYTHONPATH": str(ROOT / "tests/worlds/few_wheels")} if backend == "jax" else {}
    return {"KERAS_BACKEND": backend, **wheels}


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_gpu_measures_every_phase(backend):
    options = ("--limit", "32", "--size", "32", "--backbone", "ResNet50")
    printed = measured("gpu", *options, **on(backend))
    assert "ResNet50, 32 x 32, 32 images, on CPU" in printed
    assert f"{backend} " in printed
    assert f"), {date.today().year}-" in printed
    for name in ("frozen part", "head", "fine-tune, stored", "fine-tune, on the fly"):
        (line,) = (line for line in printed.splitlines() if line.startswith(name))
        here, bare, share, goal = (float(part.replace(",", "")) for part in line.split()[-4:])
        assert share == pytest.approx(here / bare, abs=0.02)
        assert 0.9 <= goal <= 1


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_gpu_training_measures_a_run_with_nothing_compiled_and_one_more(backend):
    few = "--limit", "64", "--size", "32", "--epochs", "5"
    printed = measured("gpu_training", *few, **on(backend))
    compiled = []
    for name in ("first run", "second run"):
        (line,) = (line for line in printed.splitlines() if line.startswith(name))
        start, head, tuned, total, passes, compiling, computing = map(float, line.split()[2:])
        assert 0 < passes < head + tuned
        assert total == pytest.approx(start + head + tuned, abs=0.2)
        assert computing == pytest.approx(head + tuned - compiling, abs=0.2)
        compiled.append(compiling)
    # So small a network compiles too fast for JAX to keep it.
    assert min(compiled) > 0 if backend == "jax" else compiled == [0, 0]


def test_head_phase_measures_the_stage_against_bare_passes():
    printed = measured("head_phase", "--limit", "400")
    (phase, bare) = map(float, re.findall(r"([\d.]+) s", printed))
    assert phase > bare > 0


def test_onnx_pass_measures_how_fast_it_is_and_what_is_learnt():
    printed = measured("onnx_pass", "--limit", "32")
    rates = re.search(r"TensorFlow ([\d.]+), ONNX Runtime ([\d.]+), ([\d.]+) times", printed)
    tensorflow, onnx, ratio = map(float, rates.groups())
    assert ratio == pytest.approx(onnx / tensorflow, rel=0.1)
    assert "ONNX Runtime repeats to the bit" in printed
    differ = re.search(r"differ by up to ([\d.e-]+); allowed are 1e-05", printed)
    assert 0 < float(differ[1]) < 1e-3
