import cv2
import pytest
from training_world import contents, make_world

from tasks import augment, edit, paths
from tasks.documents import read_json


@pytest.fixture
def table(workspace, monkeypatch):
    return make_world(monkeypatch)


def test_it_writes_seeds_and_a_sheet_that_repeat(table):
    augment.main()
    assert read_json(paths.VIEWS)["preset"] == "tutorial"
    assert len(read_json(paths.VIEWS)["seeds"]) == 2
    first = contents(paths.VIEWS, paths.CONTACT_SHEET)
    augment.main()
    assert contents(paths.VIEWS, paths.CONTACT_SHEET) == first


def test_the_sheet_shows_originals_beside_views(table):
    augment.main()
    picture = cv2.imread(str(paths.CONTACT_SHEET))
    assert picture.shape[0] > 2 * augment.SHOWN_IMAGES * 90
    assert picture.std() > 20
    train = table[table["split"] == "train"]
    chosen = augment.choose(train, 6)
    assert sorted(chosen["label"].unique()) == ["no_nodule", "nodule"]
    assert chosen["image_id"].is_unique


def test_without_change_one_view_is_enough(table):
    edit.set_values(paths.PARAMS, {"augment.preset": "none", "augment.views": 5})
    augment.main()
    assert len(read_json(paths.VIEWS)["seeds"]) == 1


def test_a_new_seed_gives_new_views(table):
    augment.main()
    before = read_json(paths.VIEWS)
    edit.set_values(paths.PARAMS, {"augment.seed": 14, "augment.views": 3})
    augment.main()
    assert not set(before["seeds"]) & set(read_json(paths.VIEWS)["seeds"])


def test_few_images_are_shown_once(table):
    train = table[table["split"] == "train"].head(2)
    assert len(augment.choose(train, 6)) == 2
