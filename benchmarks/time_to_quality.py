"""How much sooner training here reaches the quality of the usual tutorial, and of AUCMEDI.

    python -m benchmarks.time_to_quality DATA [--limit 1500] [--aucmedi PYTHON] [--picture FILE]

DATA is what `pull.path` takes. Everyone trains on the same pixels, split and starting weights, in
turn and alone: here the stages train and fine_tune with the settings of params.yaml, there the
programs of `benchmarks.peers`. The figure is a peer's time to its best AUROC on val minus 0.002,
over the time to the same value here; 0 where it is never reached, and where the AUROC on test ends
lower than the peer's. Val is measured by the same exact AUROC while the clocks stand still.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import numpy as np

from benchmarks.peers.exchange import Curve, Images, Point, auroc
from benchmarks.result import report
from tasks.common import editing, manifest, paths
from tasks.common.labels import encode
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.imaging.pack import open_pack
from tasks.intake import arrivals, cohort
from tasks.networks import data, device, files, recipe
from tasks.networks.architecture import POOLED, build
from tasks.networks.layers import default_cut
from tasks.pictures.canvas import PALETTE, drawn
from tasks.privacy.pseudonyms import PUBLIC_KEY, Pseudonyms
from tasks.sources import open_source

if TYPE_CHECKING:
    import keras

ROOT = Path(__file__).resolve().parent.parent
CLOSE = 0.002  # below the best AUROC of a peer
GOALS = {"tutorial": 10.0, "aucmedi": 5.0}


class Trained(NamedTuple):
    """AUROC on val over seconds of training, and on test at the end."""

    curve: list[Point]
    test: float

    def seconds_to(self, value: float) -> float:
        """Until AUROC on val reaches `value`; infinite if it does not."""
        return next((at for at, found in self.curve if found >= value), float("inf"))

    @property
    def target(self) -> float:
        """The quality that others are to reach."""
        return max(found for _, found in self.curve) - CLOSE


def ratio(ours: Trained, peer: Trained) -> float:
    """How many times sooner we reach the peer's quality; 0 where we end below it on test."""
    if ours.test < peer.test:
        return 0.0
    return peer.seconds_to(peer.target) / ours.seconds_to(peer.target)


def prepare(source: Path, limit: int) -> Params:
    """Bring `source` into the workspace, a folder of its own, as far as the stage augment.

    Of the train and val images `limit` are kept, evenly chosen; test stays whole.
    """
    editing.set_values(
        paths.PARAMS,
        {
            "pull.source": "medmnist" if source.suffix == ".npz" else "folder",
            "pull.path": str(source),
            "split.on_leak": "report",
        },
    )
    items = open_source(load(Params)).items
    classes = sorted({item.label for item in items})
    kind = "multiclass" if len(classes) > 2 else "binary"
    editing.set_values(paths.PARAMS, {"task.classes": classes, "task.kind": kind})
    settings = load(Params)
    nothing = arrivals.known_of(cohort.read(settings.deid.key_id), {})
    door = arrivals.Door(settings, Pseudonyms(PUBLIC_KEY), nothing, all_headers=False)
    came = arrivals.as_batch(door.bring(items), batch=0)
    manifest.write(came, paths.COHORT, manifest.COHORT)
    run_stage("preprocess")
    run_stage("split")
    table = manifest.read_manifest()
    trained = table[table["split"] != "test"]
    chosen = np.linspace(0, len(trained) - 1, min(limit, len(trained))).round().astype(int)
    kept = [table[table["split"] == "test"], trained.iloc[chosen]]
    manifest.write(cohort.joined(*kept), paths.MANIFEST, manifest.MANIFEST)
    run_stage("augment")
    return settings


def run_stage(name: str) -> None:
    """A stage in the workspace, in a process of its own as DVC runs it.

    Raises:
        SystemExit: it fails.
    """
    command = [sys.executable, "-m", f"tasks.{name}"]
    if subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False).returncode:
        sys.exit(f"the stage {name} failed; its output stands above")


def images_of(name: str, settings: Params) -> Images:
    """Pixels and targets of a split."""
    rows = manifest.of_split(manifest.read_manifest(), name)
    targets = encode(rows["label"], settings.task.kind, settings.task.names)
    return Images(open_pack()[rows["row"].to_numpy()], targets)


def train_here(settings: Params, model: keras.Model, val: Images, test: Images) -> Trained:
    """The stages train and fine_tune, without their files; `model` ends with the kept weights."""
    backbone, given = (
        settings.model.backbone,
        recipe.of_data(settings.task, settings.train, data.read(settings.task)),
    )
    curve = Curve("medloop", lambda: auroc(model, val))
    recipe.train_head(model, backbone, given, curve.add)
    kept = model.get_weights()
    outcome = recipe.fine_tune(model, backbone, settings.fine_tune, given, curve.add)
    if not outcome.better:
        model.set_weights(kept)
    return Trained(curve.points, auroc(model, test))


def train_there(name: str, python: str, folder: Path) -> Trained:
    """A peer, in a process of its own.

    Raises:
        SystemExit: it fails.
    """
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow"}
    command = [python, "-m", f"benchmarks.peers.{name}", str(folder)]
    if subprocess.run(command, env=os.environ | quiet, check=False).returncode:
        sys.exit(f"benchmarks.peers.{name} failed; its output stands above")
    found = json.loads((folder / "result.json").read_text())
    return Trained([(at, value) for at, value in found["curve"]], found["test"])


def hand_over(folder: Path, settings: Params, model: keras.Model) -> None:
    """Write what the peers read."""
    for name in manifest.SPLITS:
        np.savez(folder / f"{name}.npz", **images_of(name, settings)._asdict())
    files.save(model, folder / "start.keras")
    given = {
        "kind": settings.task.kind,
        "cut_layer": default_cut(settings.model.backbone),
        "pooled_layer": POOLED,
        "seed": settings.train.seed,
    }
    (folder / "settings.json").write_text(json.dumps(given))


def draw(path: Path, found: dict[str, Trained]) -> None:
    """The curves, on a logarithmic axis of time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with drawn(path, 6.4, 3.6) as figure:
        axes = figure.subplots()
        for color, (name, trained) in zip(PALETTE, found.items(), strict=False):
            seconds, values = zip(*trained.curve, strict=True)
            label = f"{name}, test {trained.test:.3f}"
            axes.plot(seconds, values, ".-", color=color, markersize=4, label=label)
        axes.set(xscale="log", xlabel="seconds of training", ylabel="AUROC on val")
        axes.set(title="AUROC on val while training", ylim=(None, 1.002))
        axes.legend(loc="lower right")


def tell(ours: Trained, peers: dict[str, Trained]) -> float:
    """Print the table; the smallest share of its goal that a ratio reaches."""
    shares = []
    print(f"{'':10} {'target':>7} {'its time':>9} {'here':>9} {'ratio':>6} {'goal':>5} {'test':>7}")
    for name, peer in peers.items():
        there, here = peer.seconds_to(peer.target), ours.seconds_to(peer.target)
        found = ratio(ours, peer)
        times = f"{peer.target:7.4f} {there:7.0f} s {here:7.1f} s"
        print(f"{name:10} {times} {found:6.1f} {GOALS[name]:5.0f} {peer.test:7.4f}")
        shares.append(found / GOALS[name])
    print(f"{'medloop':10} {'':41} {ours.test:7.4f}")
    return min(shares)


def main(arguments: Sequence[str]) -> None:
    """Train everywhere, draw the curves and print the ratios."""
    options = _options(arguments)
    source, picture = options.data.resolve(), options.picture.resolve()
    # Not resolved: an environment's Python is a link that must not be followed.
    aucmedi = options.aucmedi and str(options.aucmedi.absolute())
    pythons = {"tutorial": sys.executable, "aucmedi": aucmedi}
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, {"MEDLOOP_STATE": f"{folder}/state"}),
        chdir(folder),
    ):
        paths.PARAMS.write_bytes((ROOT / paths.PARAMS).read_bytes())
        phase = load(Params).train
        device.prepare(phase.threads, phase.seed)
        settings = prepare(source, options.limit)
        model = build(settings.model, settings.preprocess, settings.task)
        hand_over(Path(folder), settings, model)
        splits = [images_of(name, settings) for name in ("val", "test")]
        ours = train_here(settings, model, *splits)
        peers = {
            name: train_there(name, python, Path(folder))
            for name, python in pythons.items()
            if python
        }
    draw(picture, {"medloop": ours, **peers})
    print(f"{settings.model.backbone}, the same pixels, split and weights; curves in {picture}")
    report("time_to_quality", tell(ours, peers), 1.0)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_to_quality")
    parser.add_argument("data", type=Path, help="as pull.path")
    parser.add_argument("--limit", type=int, default=1500, help="train and val images")
    parser.add_argument(
        "--aucmedi", type=Path, metavar="PYTHON", help="of an environment that has AUCMEDI"
    )
    picture = Path("reports/time_to_quality.png")
    parser.add_argument("--picture", type=Path, default=picture, help=f"default: {picture}")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
