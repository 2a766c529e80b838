import cv2
import pytest
from worlds.training import contents, make_world

from tasks import augment
from tasks.common import editing, paths
from tasks.common.documents import read_json


@pytest.fixture
def table(workspace, monkeypatch):
    return make_world(monkeypatch)


def test_it_writes_seeds_and_a_sheet_that_repeat(table):
    augment.main()
    assert read_json(paths.VIEWS) == {"preset": "tutorial", "seed": 13, "count": 2, "refresh": None}
    assert read_json(paths.TEST_VIEWS) == {"affine": []}
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


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"augment.views": 3}, "3 views of each training image,"),
        ({"augment.views": 3, "augment.refresh": 4}, "drawn anew every 4 epochs"),
        ({"augment.views": 0}, "A new view of each training image every epoch"),
        ({"augment.preset": "none", "augment.views": 5}, "1 view of each"),
    ],
)
def test_the_log_says_what_training_will_see(table, capsys, settings, words):
    editing.set_values(paths.PARAMS, settings)
    augment.main()
    assert words in capsys.readouterr().out


def test_few_images_are_shown_once(table):
    train = table[table["split"] == "train"].head(2)
    assert len(augment.choose(train, 6)) == 2
