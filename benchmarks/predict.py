"""Predicting many files against `prepare` and the model run bare on the same cores.

    python -m benchmarks.predict DATA [--backbone ResNet50] (DATA is a folder of pictures)

For PNG, JPEG and DICOM (12 of 16 bits, not compressed) of 1,024 x 1,024 pixels, drawn from DATA.
The reference reads, prepares and scores in batches, and nothing else: no ids, no answers, no table.
It runs in as many processes as there are cores, started and warm before the clock runs, each with
the model on one thread. `flows.predict` is measured from listing the files to the table in place,
without the start of Python and the fetching of the version. The model is in int8 with random
weights, which do not change the time. Both in turn; medians; the worst ratio counts.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.preprocess import Measured, bare_processes, pictures
from benchmarks.result import report
from tasks.common import documents
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.imaging import batching
from tasks.imaging.levels import Pixels
from tasks.imaging.preparation import prepare
from tasks.privacy.pseudonyms import PUBLIC_KEY, Pseudonyms
from tasks.serving import bulk, probe, settings
from tasks.serving.classifier import Classifier
from tasks.serving.session import BATCH_SIZE, Session
from tasks.sources import given

GOAL = 0.85
BACKBONES = ("EfficientNetLite0", "ResNet50")
SIDE, IMAGES, TURNS = 1024, 400, 5
TASK = Task(kind="binary", classes=["a", "b"])
PIXELS = PixelSettings(size=[224, 224], color="grey", window=None)
KINDS = (".png", ".jpg", ".dcm")


def make_model(folder: Path, backbone: str) -> None:
    """Write the files that serve."""
    import onnx

    from tasks.common.params.model import Model
    from tasks.compression.export import export
    from tasks.compression.int8 import Quantiser
    from tasks.compression.whole_graph import complete
    from tasks.networks import architecture, layers
    from tasks.statistics import recalibration
    from tasks.statistics.operating_point import OperatingPoint

    chosen = Model.model_validate({"backbone": backbone, "weights": "none", "dropout": 0.0})
    model = architecture.build(chosen, PIXELS, TASK)
    trunks = {name: folder / f"trunk.{name}" for name in (settings.FLOAT, settings.INT8)}
    source = trunks[settings.FLOAT]
    export(model, architecture.LOGITS, layers.last_conv_layer(model), source)
    noise = np.random.default_rng(0).integers(0, 256, (8, *batching.image_shape(PIXELS)), np.uint8)
    Quantiser(source, noise).write(trunks[settings.INT8])
    weights = model.get_layer(architecture.LOGITS).get_weights()[0]
    as_it_is = recalibration.identity(TASK.kind, 1)
    point, files = OperatingPoint("youden", 0.9, {"b": 0.5}), {}
    for name, trunk in trunks.items():
        onnx.save(complete(onnx.load(trunk), TASK.kind, as_it_is, weights), folder / name)
        made = probe.images(*batching.image_shape(PIXELS))
        fingerprint = Session(folder / name).fingerprint(made)
        files[name] = settings.File(1.0, point, {"a": 0.1, "b": 0.1}, fingerprint)
    about = TASK.model_dump(), PIXELS.model_dump(), settings.INT8
    settings.write(folder, settings.Settings(*about, files))


def make_images(folder: Path, suffix: str, sources: Sequence[Path]) -> None:
    """Write the pictures of one kind, drawn from all over `sources`."""
    folder.mkdir()
    for number in range(IMAGES):
        source = sources[number * len(sources) // IMAGES]
        picture = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            sys.exit(f"{source} cannot be read")
        scaled = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        coded = cv2.imencode(suffix, scaled)[1].tobytes() if suffix != ".dcm" else dicom(scaled)
        (folder / f"{number:04d}{suffix}").write_bytes(coded)


def dicom(picture: Pixels) -> bytes:
    """A radiograph as detectors store it."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "2.25.1"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = picture.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.PixelData = (picture.astype(np.uint16) * 16).tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def predict(images: Path, classifier: Classifier, work: Path) -> None:
    """What `flows.predict` does of a folder."""
    output = work / "out.parquet"
    found = given.find(images, output)
    found.states()
    keyed = Pseudonyms(PUBLIC_KEY)
    asked = bulk.Bulk(
        classifier, found.files, lambda content: keyed.image(sha256(content).hexdigest())
    )
    parts = asked.make_parts(documents.fresh_folder(work / "parts"))
    bulk.join(parts, output)
    if list(bulk.unanswered(parts)):
        sys.exit("a picture made for this could not be read back")


def bare(pool: ProcessPoolExecutor, images: Path, model: Path) -> None:
    """The reference, over all processes."""
    files, cores = sorted(map(str, images.iterdir())), batching.cores()
    list(pool.map(partial(loop, files, model, cores), range(cores)))


def loop(files: list[str], model: Path, step: int, first: int) -> list[float]:
    """The scores of every `step`-th picture from `first` on."""
    session, scores = _session(model), []
    mine = files[first::step]
    for start in range(0, len(mine), BATCH_SIZE):
        contents = (Path(file).read_bytes() for file in mine[start : start + BATCH_SIZE])
        pixels = np.stack([prepare(content, PIXELS).pixels for content in contents])
        scores += session.scores(pixels)[:, 0].tolist()
    return scores


@cache
def _session(model: Path) -> Session:
    """One per process, made in the turn that warms up."""
    return Session(model, 1)


def measure(images: Path, model: Path, pool: ProcessPoolExecutor) -> Measured:
    """Time both in turn over the same files; the first turn warms up, and is left out."""
    classifier = Classifier(model, threads=1)
    ours, reference = [], []
    with tempfile.TemporaryDirectory() as work:
        for _ in range(TURNS + 1):
            ours.append(_seconds(partial(predict, images, classifier, Path(work))))
            reference.append(_seconds(partial(bare, pool, images, model / classifier.file)))
    count = len(list(images.iterdir()))
    return Measured(count / statistics.median(ours[1:]), count / statistics.median(reference[1:]))


def _seconds(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure every kind; the result is the worst ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict")
    parser.add_argument("data", type=Path, metavar="DATA", help="a folder of pictures")
    parser.add_argument("--backbone", choices=BACKBONES, default=BACKBONES[0])
    arguments = parser.parse_args()
    sources, ratios = pictures(arguments.data.resolve()), []
    with tempfile.TemporaryDirectory() as temporary, bare_processes() as pool:
        model = Path(temporary) / "model"
        model.mkdir()
        with ProcessPoolExecutor(1, get_context("spawn")) as other:  # it loads TensorFlow
            other.submit(make_model, model, arguments.backbone).result()
        print(f"{'images per second':20} {'predict':>8} {'bare':>8} {'ratio':>6}", flush=True)
        for suffix in KINDS:
            images = Path(temporary) / suffix[1:]
            make_images(images, suffix, sources)
            found = measure(images, model, pool)
            ratios.append(found.ratio)
            print(
                f"{suffix:20} {found.stage:8.0f} {found.bare:8.0f} {found.ratio:6.2f}", flush=True
            )
    report("predict", min(ratios), GOAL)


if __name__ == "__main__":
    main()
