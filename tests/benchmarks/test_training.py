"""The benchmarks of training measure what they say, on few images."""

import re
import subprocess
import sys

import pytest
from worlds.project import ROOT, environment

pytestmark = pytest.mark.slow


def measured(module, *options):
    """What a benchmark prints; on few images its figure may miss the goal."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *options]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert re.search(rf"^RESULT {module} [\d.e+-]+ goal [\d.]+$", done.stdout, re.M), done.stderr
    return done.stdout


def test_gpu_measures_every_phase():
    printed = measured("gpu", "--limit", "32")
    assert "EfficientNetLite0, 224 x 224, 32 images, batches of 32" in printed
    for name in ("frozen part", "head, stored", "fine-tune, stored", "fine-tune, on the fly"):
        (line,) = (line for line in printed.splitlines() if line.startswith(name))
        speed, share = map(float, line.split()[-2:])
        assert speed > 0 < share


def test_head_phase_measures_the_stage_against_bare_passes():
    printed = measured("head_phase", "--limit", "400")
    (phase, bare) = map(float, re.findall(r"([\d.]+) s", printed))
    assert phase > bare > 0
