from worlds.report import INTERVAL

from tasks.reporting import forgetting

WORSE = {"value": -0.05, "low": -0.08, "high": -0.02}
AS_GOOD = {"value": -0.01, "low": -0.03, "high": 0.01}
TRAINING = {"start": {"model_name": "medloop", "version": 3, "digest": "abc"}}


def row(start, fresh):
    others = {"start": start, "fresh": fresh}
    return {"images": 60, "patients": 20, "auroc": INTERVAL} | {
        name: {"auroc": INTERVAL, "difference": found} for name, found in others.items()
    }


def metrics(old, fresh=AS_GOOD):
    batches = {"0": row(old, AS_GOOD), "1": row(AS_GOOD, WORSE)}
    return {"beside": {"test": row(AS_GOOD, fresh), "batches": batches}}


def test_a_batch_that_is_clearly_worse_is_told_in_words():
    (told,) = forgetting.told(metrics(WORSE), TRAINING)
    assert told == (
        "Batch 0 is partly forgotten: AUROC 0.958 against 0.958 of version 3, which training "
        "started from; the difference is -0.050 (-0.080 to -0.020)"
    )


def test_a_fresh_training_that_is_clearly_better_is_told():
    (told,) = forgetting.told(metrics(AS_GOOD, fresh=WORSE), TRAINING)
    assert told.startswith("A fresh training does better: AUROC 0.958 on all of test")


def test_what_may_be_chance_is_not_told():
    assert list(forgetting.told(metrics(AS_GOOD), TRAINING)) == []
    unknown = {"value": -0.5, "low": None, "high": None}
    assert list(forgetting.told(metrics(unknown), TRAINING)) == []


def test_the_table_has_each_batch_beside_both():
    grid = forgetting.table(metrics(WORSE), TRAINING)
    assert grid.headings[1:4] == ["AUROC", "Version 3", "Difference"]
    assert [name for name, _ in grid.rows] == ["All", "Batch 0", "Batch 1"]
    assert grid.rows[1][1] == [60, INTERVAL, INTERVAL, WORSE, INTERVAL, AS_GOOD]


def test_of_a_fresh_training_there_is_nothing():
    assert forgetting.table({}, {"start": None}) is None
    assert list(forgetting.told({}, {"start": None})) == []
