import errno
import os

import numpy as np
import pytest
from worlds.fit import make_examples, make_model, make_plan, same

from tasks.common.errors import TrainingError
from tasks.common.params.section import STEPS
from tasks.networks.checkpoint import METRICS
from tasks.networks.feeds import Examples, Stored, order
from tasks.networks.fit import Fitted, Plan, averaged, best_epoch, epochs_of, fit
from tasks.networks.residence import of_steps
from tasks.networks.steps import Steps


def run(model, kind="binary", on_epoch=lambda *_: None, train=None, val=None, **changes):
    train = train or make_examples(kind, views=2)
    val = val or make_examples(kind, seed=1)
    fitted = fit(model, stored(train), val, make_plan(kind, **changes), on_epoch)
    fitted.checkpoint.remove()
    return fitted.epochs


def stored(examples):
    return Stored(lambda _: examples)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Epochs and weights of a fit that nothing disturbs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDLOOP_STATE", str(tmp_path_factory.mktemp("state")))
        model = make_model()
        return run(model), model.get_weights()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_it_learns(kind):
    history = run(make_model(kind), kind, epochs=15)
    assert history[-1]["val_auroc"] > 0.97 > history[0]["auroc"]
    assert history[-1]["val_loss"] < 0.8 * history[0]["val_loss"]
    assert all(set(entry) == set(METRICS) for entry in history)


def test_metrics_are_those_of_the_weights():
    model, val = make_model(), make_examples(seed=1)
    history = run(model, val=val, epochs=4)
    scores = model.predict(val.inputs.astype(np.float32), verbose=0)
    picked = np.where(val.targets == 1, scores, 1 - scores)
    best = history[best_epoch(history) - 1]
    assert best["val_loss"] == pytest.approx(-np.log(picked).mean(), rel=1e-5)
    assert best["val_accuracy"] == pytest.approx((picked > 0.5).mean())


@pytest.mark.parametrize(("steps", "epochs"), [(1, 300), (17, 18), (146, 2), (3125, 1)])
def test_epochs_that_follow_from_the_steps_make_about_as_many_in_all(steps, epochs):
    assert epochs_of(make_plan(epochs="auto").phase, steps) == epochs
    assert epochs_of(make_plan(epochs=5).phase, steps) == 5


def test_a_fit_by_steps_is_the_one_of_as_many_epochs(capsys):
    of_steps, of_epochs = make_model(), make_model()
    train = make_examples(views=33)
    found = [
        run(model, train=train, epochs=epochs)
        for model, epochs in ((of_steps, "auto"), (of_epochs, 3))
    ]
    assert 3 * train.rows / make_plan().phase.batch_size == pytest.approx(STEPS, rel=0.1)
    assert found[0] == found[1]
    assert same(of_steps.get_weights(), of_epochs.get_weights())
    assert "Epoch 3/3" in capsys.readouterr().out


def test_the_best_epoch_is_the_one_that_recalibration_leaves_the_smallest_loss():
    losses = [(0.30, 0.29), (0.45, 0.20), (0.60, 0.25)]
    history = [{"val_loss": plain, "val_calibrated_loss": least} for plain, least in losses]
    assert best_epoch(history) == 2


def test_what_is_kept_is_averaged_with_the_beginning_and_training_goes_on_without():
    start, trained, kept, longer = (make_model() for _ in range(4))
    run(trained, epochs=1)
    (one,) = run(kept, epochs=1, average=0.25)
    triples = zip(start.get_weights(), trained.get_weights(), kept.get_weights(), strict=True)
    for a, b, mean in triples:
        np.testing.assert_allclose(mean, 0.75 * a + 0.25 * b, rtol=1e-6)
    scores = kept.predict(make_examples(seed=1).inputs.astype(np.float32), verbose=0)
    right = np.where(make_examples(seed=1).targets == 1, scores, 1 - scores)
    assert one["val_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-5)
    names = ("loss", "accuracy")
    plain = run(make_model(), epochs=3)
    assert [[epoch[name] for name in names] for epoch in run(longer, epochs=3, average=0.25)] == [
        [epoch[name] for name in names] for epoch in plain
    ]


@pytest.mark.parametrize("share", [0.3, 0.7, 1.0])
def test_a_mean_leaves_what_was_not_trained_to_the_bit(share):
    model = make_model()
    with averaged(model, model.get_weights(), share) as mean:
        assert same(mean, make_model().get_weights())


def test_two_fits_are_bitwise_the_same():
    first, second = make_model(), make_model()
    assert run(first) == run(second)
    assert same(first.get_weights(), second.get_weights())


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_on_the_device_or_fed_batch_by_batch_the_weights_are_the_same(kind, monkeypatch):
    """Short last batches and dropout included."""
    train, val = make_examples(kind, views=3), make_examples(kind, seed=1)
    assert of_steps(train)
    assert of_steps(val)
    resident, fed = make_model(kind), make_model(kind)
    expected = run(resident, kind, train=train, val=val, batch_size=20)
    monkeypatch.setattr("tasks.networks.residence.MOST_BYTES", 0)
    monkeypatch.setattr(Steps, "over_rows", None)
    assert run(fed, kind, train=train, val=val, batch_size=20) == expected
    assert same(resident.get_weights(), fed.get_weights())


def test_another_seed_gives_another_model(undisturbed):
    second, plan = make_model(), make_plan()
    other = Plan(plan.kind, plan.phase, plan.weights, seed=5)
    fit(second, stored(make_examples(views=2)), make_examples(seed=1), other, lambda *_: None)
    assert not same(second.get_weights(), undisturbed[1])


def test_what_is_trained_is_not_lost_before_it_is_written(capsys):
    """A stage that cannot write its outs trains nothing again."""
    given = (stored(make_examples(views=2)), make_examples(seed=1), make_plan())
    first, second = make_model(), make_model()
    expected = fit(first, *given, lambda *_: None)
    capsys.readouterr()
    found = fit(second, *given, lambda *_: pytest.fail("an epoch was trained again"))
    assert "Going on after epoch 6" in capsys.readouterr().out
    assert (found.epochs, found.loss_before) == (expected.epochs, expected.loss_before)
    assert same(first.get_weights(), second.get_weights())


def test_a_fit_of_other_settings_begins_anew(capsys):
    """The weights that a network begins with say nothing about its dropout."""
    given = (stored(make_examples(views=2)), make_examples(seed=1), make_plan())
    fit(make_model(dropout=0.3), *given, lambda *_: None)
    fit(make_model(dropout=0.6), *given, lambda *_: None)
    assert "Going on" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda _: b""])
def test_a_damaged_checkpoint_costs_time_and_nothing_else(repeatable, capsys, damage):
    given = (stored(make_examples(views=2)), make_examples(seed=1), make_plan())
    undisturbed, again = make_model(), make_model()
    expected = fit(undisturbed, *given, lambda *_: None)
    (file,) = (repeatable / "checkpoints").glob("*.npz")
    file.write_bytes(damage(file.read_bytes()))
    assert fit(again, *given, lambda *_: None).epochs == expected.epochs
    assert "is damaged; training begins anew" in capsys.readouterr().out
    assert same(again.get_weights(), undisturbed.get_weights())


def test_a_full_disk_is_named_and_training_goes_on_from_the_epoch_before(
    undisturbed, monkeypatch, repeatable
):
    expected, weights = undisturbed
    stopped, again = make_model(), make_model()
    saved, calls = np.savez, []

    def full(file, **arrays):
        calls.append(arrays)
        if len(calls) == 3:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        saved(file, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        message = r"checkpoint of epoch 3.*No space left.*MEDLOOP_STATE.*after epoch 2"
        with pytest.raises(TrainingError, match=message):
            run(stopped)
    assert [file.suffix for file in (repeatable / "checkpoints").iterdir()] == [".npz"]
    seen = []
    assert run(again, on_epoch=lambda number, _: seen.append(number)) == expected
    assert seen == [3, 4, 5, 6]
    assert same(again.get_weights(), weights)


def test_a_fit_knows_whether_it_lowered_the_loss():
    val = make_examples(seed=1)
    contrary = Examples(val.inputs, 1 - val.targets)
    train, plan = stored(make_examples(views=2)), make_plan(epochs=3)
    learnt = fit(make_model(), train, val, plan, lambda *_: None)
    assert learnt.better
    assert learnt.learnt
    assert learnt.best["val_calibrated_loss"] < learnt.loss_before
    nothing = fit(make_model(), train, contrary, plan, lambda *_: None)
    assert not nothing.better
    assert not nothing.learnt
    assert not fit(make_model(), train, val, make_plan(epochs=0), lambda *_: None).better


def test_an_untrained_network_that_ranks_val_by_chance_has_yet_to_learn():
    """Its calibrated loss is no bar to training, its loss is."""
    epoch = {"val_loss": 0.6, "val_calibrated_loss": 0.65}
    before = {"loss": 0.7, "calibrated_loss": 0.62}
    fitted = Fitted([epoch], before, None)
    assert (fitted.better, fitted.learnt) == (False, True)
    worse = Fitted([epoch | {"val_loss": 0.8}], before, None)
    assert (worse.better, worse.learnt) == (False, False)


class Killed(BaseException):
    pass


@pytest.mark.parametrize(("epoch", "average"), [(1, 1.0), (5, 0.5)])
def test_a_killed_fit_ends_as_an_undisturbed_one(epoch, average, repeatable, capsys):
    """Dropout and Adam's moments are part of what has to be taken up again."""
    model = make_model()
    expected, weights = run(model, average=average), model.get_weights()

    def dies(number, _):
        if number == epoch:
            raise Killed

    with pytest.raises(Killed):
        run(make_model(), on_epoch=dies, average=average)
    capsys.readouterr()
    seen, again = [], make_model()
    told = {"on_epoch": lambda number, _: seen.append(number)}
    assert run(again, average=average, **told) == expected
    assert seen == list(range(epoch, 7))
    assert same(again.get_weights(), weights)
    assert not list((repeatable / "checkpoints").iterdir())
    assert ("Going on after epoch" in capsys.readouterr().out) == (epoch > 1)


def test_the_best_epoch_is_kept_and_patience_ends_the_fit():
    """Val contradicts train, so the first epoch is the best."""
    val = make_examples(seed=1)
    contrary = Examples(val.inputs, 1 - val.targets)
    after_first, long = make_model(dropout=0.0), make_model(dropout=0.0)
    run(after_first, val=contrary, epochs=1)
    history = run(long, val=contrary, epochs=30, patience=3)
    assert best_epoch(history) == 1
    assert len(history) == 4
    assert same(after_first.get_weights()[:2], long.get_weights()[:2])


def test_an_epoch_shows_every_view_once_in_an_order_of_its_own():
    first, second = order(96, 1, 4), order(96, 2, 4)
    assert sorted(first) == sorted(second) == list(range(96))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, order(96, 1, 4))


def test_every_view_goes_with_its_images_target():
    """The views of an image are rows apart; only right targets make them separable."""
    history = run(make_model(dropout=0.0), train=make_examples(views=5), epochs=8)
    assert history[-1]["auroc"] > 0.97


def test_no_epochs_leave_the_model_alone():
    model = make_model()
    before = model.get_weights()
    assert run(model, epochs=0) == []
    assert same(before, model.get_weights())


def test_a_loss_that_is_not_a_number_stops_with_its_likely_cause():
    train = make_examples()
    train.inputs[3, 0] = np.nan
    with pytest.raises(TrainingError, match="learning_rate"):
        run(make_model(), train=train)


def test_each_epoch_is_told_in_a_line(capsys):
    run(make_model(), epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert "val loss" in lines[0]
