"""Names of the sides of a split, as data sets have them."""

import pytest

from tasks.sources.split_names import side_of


@pytest.mark.parametrize(
    ("side", "names"),
    [
        ("train", ("train", "Train", "TRAINING", "trn", "train_set", "Training Data", "img_train")),
        ("val", ("val", "Valid", "VALIDATION", "dev", "validation-set", "val_images")),
        ("test", ("test", "Testing", "TST", "test-data", "TestSet", "data.test")),
        (None, ("", "set", "latest", "trained", "invalid", "normal", "test1", "external_test")),
    ],
)
def test_case_and_habit_do_not_count(side, names):
    assert [side_of(name) for name in names] == [side] * len(names)
