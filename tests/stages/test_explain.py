from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from tasks import evaluate, explain
from tasks.common import manifest, paths
from tasks.common.documents import write_json
from tasks.common.errors import DataError


@pytest.fixture(scope="module")
def explained(tiny_once):
    """The index; tests only look at what the stage has written."""
    write_masks(tiny_once({"explain.examples": 2}), mislabelled=90)
    evaluate.main()
    explain.run_stage()
    return json.loads((paths.EXPLAIN / "index.json").read_text())


def write_masks(rows, mislabelled):
    """A mask of each spot, and an image that is answered wrong since its label is."""
    mask = np.zeros((32, 32), np.uint8)
    mask[4:12, 4:12] = 255
    paths.RAW.mkdir(parents=True)
    assert cv2.imwrite(str(paths.RAW / "spot.png"), mask)
    masks = np.where(rows["label"] == "nodule", "spot.png", None)
    made_with = {"size": [32, 32], "fit": "pad", "color": "grey", "window": None}
    write_json(paths.PACK, {"settings": made_with})
    rows = rows.assign(mask=masks, height=32, width=32)
    rows.loc[mislabelled, "label"] = "nodule"
    manifest.write(rows, paths.MANIFEST, manifest.MANIFEST)


def test_the_index_names_every_picture_and_no_patient(explained):
    files = {path.name for path in paths.EXPLAIN.iterdir()}
    listed = [entry["file"] for part in explained.values() for entry in part]
    raw = [entry["file"].replace(".png", ".npy") for entry in explained["examples"]]
    assert files == {*listed, *raw, "index.json"}
    assert {"nodule_right_1.png", "nodule_right_2.png", "nodule_right_1.npy"} <= files
    assert "patient" not in json.dumps(explained)
    first = explained["examples"][-1]
    assert set(first) == {
        "file",
        "image_id",
        "label",
        "predicted",
        "right",
        "scored",
        "score",
    }


def test_the_overlay_is_hottest_where_the_spot_is(explained):
    entry = next(e for e in explained["examples"] if e["label"] == "nodule" and e["right"])
    picture = cv2.imread(str(paths.EXPLAIN / entry["file"])).astype(float)
    overlay = picture[100:, picture.shape[1] // 2 : int(0.9 * picture.shape[1])]
    colour = overlay.max(axis=2) - overlay.min(axis=2)
    height, width = colour.shape
    spot = colour[: height // 2, : width // 2].max()
    assert spot > 100
    assert spot > 1.5 * colour[height // 2 :, width // 2 :].max()


def test_the_same_model_gives_the_same_bytes(explained):
    first = {path.name: path.read_bytes() for path in paths.EXPLAIN.iterdir()}
    tests = paths.EXPLANATIONS.read_bytes()
    explain.run_stage()
    assert paths.EXPLANATIONS.read_bytes() == tests
    assert {path.name: path.read_bytes() for path in paths.EXPLAIN.iterdir()} == first


def test_heatmaps_of_a_network_that_finds_the_spot_hit_it(explained):
    told = json.loads(paths.EXPLANATIONS.read_text())["classes"]
    nodule = told["nodule"]
    assert nodule["beats_chance"] is True
    assert nodule["by_masks"]["pointing"]["value"] == 1
    assert told["no_nodule"]["by_masks"] is None
    assert "patient-" not in paths.EXPLANATIONS.read_text()


def test_wrong_examples_stand_beside_training_images_like_them(explained):
    rows = manifest.read_manifest().set_index("image_id")
    wrong = [entry["image_id"] for entry in explained["examples"] if not entry["right"]]
    assert wrong
    assert [entry["image_id"] for entry in explained["neighbours"]] == wrong
    for entry in explained["neighbours"]:
        assert len(entry["neighbours"]) == explain.NEIGHBOURS
        assert set(rows.loc[entry["neighbours"], "split"]) == {"train"}


def test_chosen_images_are_drawn_for_every_class_with_their_numbers(explained):
    drawn = explain.explain_chosen([f"{7:064x}"], "cam", ["late"])
    assert all(path.exists() for path in drawn)
    assert [path.name.partition("_")[2] for path in drawn] == [
        "cam_nodule.png",
        "000000000000_late.png",
    ]
    heat = np.load(drawn[0].with_suffix(".npy"))
    assert heat.shape == (16, 16)
    assert heat[2:6, 2:6].mean() > 3 * heat.mean()


def test_an_id_must_be_of_one_image(explained):
    with pytest.raises(DataError, match="several begin with"):
        explain.explain_chosen(["0" * 8], "cam", [])
    with pytest.raises(DataError, match="none has") as caught:
        explain.explain_chosen(["Smith-Jane"], "cam", [])
    assert "Smith" not in str(caught.value)
