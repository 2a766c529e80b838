"""Draw what a registered version looks at, as it serves: by its own preprocessing, from its scores
alone (occlusion).

python -m tasks.explain_version VERSION ID ..
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import labels, manifest, paths
from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.imaging.pack import open_pack
from tasks.networks.occlusion import Occlusion
from tasks.pictures import explanations
from tasks.pictures.explanations import Picture
from tasks.registry import model_versions, scoring
from tasks.registry.failures import in_one_line
from tasks.registry.store import connect
from tasks.statistics import Array


class Version:
    """Scores prepared images by handing them to a packaged model as files."""

    def __init__(self, package: Path, outputs: Sequence[str], folder: Path) -> None:
        """Files are written to `folder`."""
        self._package, self._outputs, self._folder = package, outputs, folder
        self._known: dict[bytes, Array] = {}  # each call starts a process

    def __call__(self, images: NDArray[np.uint8]) -> Array:
        """`(N, K)` of images `(N, H, W, C)`."""
        new = {image.tobytes(): image for image in images if image.tobytes() not in self._known}
        if new:
            rows = [self._write(k, image) for k, image in enumerate(new.values())]
            found = scoring.score(self._package, pd.DataFrame(rows), self._outputs)
            self._known |= zip(new, found, strict=True)
        return np.stack([self._known[image.tobytes()] for image in images])

    def _write(self, number: int, image: NDArray[np.uint8]) -> dict[str, str]:
        file = self._folder / f"{number}.png"
        pixels = image[..., 0] if image.shape[-1] == 1 else image[..., ::-1]
        file.write_bytes(cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes())
        return {"image_id": str(number), "path": str(file.resolve())}


def explain(version: int, given: Sequence[str]) -> list[Path]:
    """Draw images by their ids for every class.

    Raises:
        RegistryError: there is no such version, or its files are gone.
        DataError: an id is of no image, or of several.
    """
    settings = load(Params)
    rows = manifest.read_manifest().set_index("image_id")
    shown = rows.loc[manifest.find(rows.index.to_list(), given), ["label", "row"]]
    pixels = open_pack()[shown["row"].to_numpy()]
    outputs = labels.scored(settings.task.kind, settings.task.names)
    with tempfile.TemporaryDirectory() as place, in_one_line():
        found = connect().get_model_version(settings.publish.model_name, str(version))
        package = model_versions.download(found, Path(place) / "version")
        score = Version(package, outputs, Path(place))
        said = shown["label"].to_list()
        return _draw(score, shown.index.to_list(), said, pixels, outputs, version)


def _draw(
    score: Version,
    image_ids: Sequence[str],
    said: Sequence[str],
    pixels: NDArray[np.uint8],
    outputs: Sequence[str],
    version: int,
) -> list[Path]:
    paths.EXPLAINED.mkdir(parents=True, exist_ok=True)
    scores, drawn = score(pixels), []
    for k, name in enumerate(outputs):
        heat = Occlusion(score)(pixels, k, False)
        for one, image_id in enumerate(image_ids):
            file = f"{image_id[:12]}_version_{version}_{explanations.slug(name)}.png"
            picture = Picture(image_id, said[one], pixels[one])
            scored = name, float(scores[one, k])
            drawn.append(paths.EXPLAINED / file)
            explanations.heatmap(drawn[-1], picture, heat[one], scored, name)
    return drawn


@command
def main() -> None:
    """Draw chosen images by a version of the model of params.yaml."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.explain_version",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("version", type=int, help="number of the version")
    parser.add_argument("ids", nargs="+", metavar="ID", help="images, or first characters of them")
    given = parser.parse_args()
    print("\n".join(map(str, explain(given.version, given.ids))))


if __name__ == "__main__":
    main()
