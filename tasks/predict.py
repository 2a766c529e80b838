"""Predict: `python -m tasks.predict INPUT [OUTPUT.parquet|.csv]` asks a version about images.

INPUT is a file, a folder of any depth, or a .zip, .tar or .tar.gz. OUTPUT has one row per file. Run
again after a kill, it goes on; what it has so far lies beside OUTPUT, in `.<its name>.parts`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from tasks.common import digests, locks
from tasks.common.errors import ParameterError, WorkspaceError, command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.privacy.pseudonyms import Pseudonyms, key_id, load_key
from tasks.registry import serving
from tasks.registry.model_versions import CHAMPION
from tasks.serving import bulk
from tasks.sources import given

SUFFIXES = (".csv", ".parquet")
SHOWN = 5  # rows without an answer that are named per reason


@command
def main() -> None:
    """Predict, and say what became of the files."""
    asked = _arguments()
    output: Path = asked.output
    if output.suffix not in SUFFIXES:
        raise ParameterError(
            f"required: OUTPUT.csv or OUTPUT.parquet; received: a name that ends in "
            f"{output.suffix or 'neither'!r}"
        )
    images = given.find(asked.input, output)
    home = output.with_name(f".{output.name}.parts")
    try:
        with tempfile.TemporaryDirectory() as folder, locks.held(home / "lock"):
            number = _predict(asked, images, home, Path(folder))
    except locks.HeldError as holder:
        raise WorkspaceError(
            f"required: an OUTPUT that nobody else writes; received: one that {holder} writes: "
            "wait for its end, or name another"
        ) from None
    images.forget()
    print(f"rows: {len(images.files):,}, by version {number}: {output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.predict", description=__doc__)
    parser.add_argument("input", type=Path, metavar="INPUT")
    parser.add_argument(
        "output",
        type=Path,
        nargs="?",
        default=Path("predictions.csv"),
        metavar="OUTPUT",
        help="OUTPUT.csv or OUTPUT.parquet, replaced if it is there; default: predictions.csv",
    )
    parser.add_argument("--version", default=CHAMPION, help="alias or number; default: champion")
    parser.add_argument("--paths", action="store_true", help="write which file each row is")
    parser.add_argument("--unpassed", action="store_true", help="ask what has not passed the gate")
    return parser.parse_args()


def _predict(asked: argparse.Namespace, images: given.Given, home: Path, folder: Path) -> int:
    """Put OUTPUT in place and remove its parts; the number of the version."""
    settings = load(Params)
    key = load_key(settings)
    name = settings.publish.model_name
    number, package = serving.package(name, asked.version, folder, asked.unpassed)
    classifier = serving.load(package.folder, threads=1)
    work = bulk.Bulk(
        classifier,
        images.files,
        lambda content: Pseudonyms(key).image(sha256(content).hexdigest()),
        images.names() if asked.paths else None,
    )
    print("\n".join([f"{name} version {number}, files: {len(images.files):,}", *images.notes]))
    about = [package.digest, classifier.file, key_id(key), *work.schema().names]
    parts = work.make_parts(_folder_of_parts(home, digests.of_json([about, images.states()])))
    bulk.join(parts, asked.output)
    for line in _unanswered(parts):
        print(line)
    shutil.rmtree(home)
    return number


def _folder_of_parts(home: Path, key: str) -> Path:
    """Where the parts of this very question lie; those of others beside them are removed."""
    for other in home.iterdir():
        if other.is_dir() and other.name != key:
            shutil.rmtree(other)
    folder = home / key
    if folder.is_dir():
        print("Going on from where the last run ended")
    folder.mkdir(exist_ok=True)
    return folder


def _unanswered(parts: Sequence[Path]) -> list[str]:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, reason in bulk.unanswered(parts):
        rows[reason].append(row)
    return [
        f"without an answer: {len(found):,}, {reason} "
        f"(row {', '.join(map(str, found[:SHOWN]))}{', ...' * (len(found) > SHOWN)})"
        for reason, found in rows.items()
    ]


if __name__ == "__main__":
    main()
