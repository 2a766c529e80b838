"""Where activations lie follows from the machine; what is learnt does not follow from where."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from worlds.explained import a_pixel_counts
from worlds.feeds import COUNT, CUT, make_data, start, train

from tasks.common import paths
from tasks.common.errors import TrainingError
from tasks.networks import device, fit, memory, prediction, residence
from tasks.networks.cam import Cam
from tasks.networks.features import pooled
from tasks.networks.feeds import Examples, OnTheFly, Stored
from tasks.networks.gradcam import GradCam
from tasks.networks.prefix import Prefix
from tasks.networks.residence import Residence
from tasks.networks.scoring import score
from tasks.networks.steps import Steps

DEVICE, DISK = Residence.DEVICE, Residence.DISK
LATE, POOLED, IMAGES = (9318, 14, 14, 1024), (9318, 2048), (4659, 224, 224, 1)
GB = 1 << 30


@pytest.fixture
def with_memory(monkeypatch):
    """Let the device be one with so many bytes of its own."""

    def free(count):
        monkeypatch.setattr(device.backend, "memory", lambda: count)
        memory.room.cache_clear()

    yield free
    memory.room.cache_clear()


@pytest.mark.parametrize(
    ("memory", "activations", "copies", "places"),
    [
        (None, LATE, 1, [DISK]),
        (60 * GB, LATE, 1, [DEVICE]),
        (60 * GB, LATE, 5, []),  # larger than their pixels: computed anew
        (10 * GB, LATE, 1, []),
        (10 * GB, POOLED, 1, [DEVICE, DISK]),
        (GB // 10, POOLED, 1, [DISK]),
    ],
)
def test_activations_lie_where_they_cost_least(with_memory, memory, activations, copies, places):
    with_memory(memory)
    assert residence.of_pass(activations, IMAGES, copies) == places


@pytest.mark.parametrize(
    ("memory", "rows", "resident"),
    [(None, 1000, True), (None, 200_000, False), (GB, 200_000, False), (4 * GB, 200_000, True)],
)
def test_examples_are_stepped_over_on_the_device_where_they_fit(
    with_memory, memory, rows, resident
):
    with_memory(memory)
    wide = np.broadcast_to(np.float16(0), (rows, 1024))
    assert residence.of_steps(Examples(wide, np.zeros((rows, 1)))) == resident


def test_pixels_are_fed_on_a_cpu(with_memory):
    given = make_data(count=0)
    pixels = OnTheFly(start(), given.train.images, given.train.targets, given.views).examples(1)
    assert not residence.of_steps(pixels)
    with_memory(GB)
    assert residence.of_steps(pixels)


@pytest.mark.parametrize(
    ("memory", "size"), [(None, 32), (60 * GB, 512), (8 * GB, 128), (GB, 32), (1, 32)]
)
def test_a_batch_has_a_size_for_which_there_is_room(with_memory, memory, size):
    with_memory(memory)
    assert prediction.batch_size(224, 224) == size


@pytest.fixture
def fed(monkeypatch):
    """Refuse what steps over batches one by one."""
    monkeypatch.setattr(Steps, "over_batches", None)


@pytest.mark.parametrize(("layer", "refresh"), [("dropout", None), (CUT, 1)])
def test_what_stays_on_the_device_gives_the_weights_of_what_is_stored(
    with_memory, fed, layer, refresh
):
    _, _, expected = train(start(), layer, make_data(2, refresh))
    stored = {file.name for file in (paths.state() / "prefix").iterdir()}
    with_memory(GB)
    feed, _, found = train(start(), layer, make_data(2, refresh))
    assert isinstance(feed, Stored)
    assert keras.ops.is_tensor(feed.examples(1).inputs)
    assert feed.examples(1).rows == 2 * COUNT
    assert {file.name for file in (paths.state() / "prefix").iterdir()} == stored
    _, _, again = train(start(), layer, make_data(2, refresh))
    for one, other, same in zip(expected, found, again, strict=True):
        assert np.abs(one - other).max() < 1e-5 * max(1, np.abs(one).max())
        assert np.array_equal(other, same)


def test_on_the_fly_on_the_device_gives_the_weights_of_being_fed(with_memory, monkeypatch):
    _, _, expected = train(start(), CUT, make_data(count=0))
    with_memory(GB)
    monkeypatch.setattr(Steps, "over_batches", None)
    _, _, found = train(start(), CUT, make_data(count=0))
    for one, other in zip(expected, found, strict=True):
        assert np.abs(one - other).max() < 1e-5 * max(1, np.abs(one).max())


def test_what_is_free_is_asked_once(with_memory, monkeypatch):
    """Else a fit that fills the device would change its way, and go on otherwise after a kill."""
    with_memory(GB)
    wide = Examples(np.broadcast_to(np.float16(0), (1000, 1024)), np.zeros((1000, 1)))
    assert residence.of_steps(wide)
    monkeypatch.setattr(device.backend, "memory", lambda: 1)
    assert residence.of_steps(wide)
    assert prediction.batch_size(224, 224) == 32


def test_killed_it_goes_on_to_the_same_weights_from_what_is_on_the_device(
    with_memory, monkeypatch, capsys
):
    with_memory(GB)
    given, save = make_data(1, refresh=1), fit.Checkpoint.save
    _, _, expected = train(start(), CUT, given)

    def dies(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(fit.Checkpoint, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        train(start(), CUT, given)
    monkeypatch.setattr(fit.Checkpoint, "save", save)
    capsys.readouterr()
    _, _, found = train(start(), CUT, given)
    assert "Going on after epoch 1" in capsys.readouterr().out
    assert all(map(np.array_equal, found, expected))


def full(*_):
    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating a tensor\nmore")


SEEING = {
    "scores": score,
    "heatmaps": lambda model, images: GradCam(model)(images, 0, False),
    "CAMs": lambda model, images: Cam(model)(images, 0, False),
    "features": pooled,
}


@pytest.mark.parametrize("see", SEEING.values(), ids=SEEING)
def test_what_looks_at_images_takes_the_same_pass(with_memory, monkeypatch, see):
    images = np.random.default_rng(0).integers(1, 256, (600, 8, 8, 1)).astype(np.uint8)
    model, sizes, forward = a_pixel_counts(0.01), [], device.backend.forward

    def watched(network):
        run = forward(network)
        return lambda given: sizes.append(len(keras.tree.flatten(given)[0])) or run(given)

    monkeypatch.setattr(device.backend, "forward", watched)
    expected = see(model, images)
    assert sizes == [32] * 19
    with_memory(GB)
    assert np.allclose(see(model, images), expected, atol=1e-5)
    assert sizes[19:] == [512] * 2


@pytest.mark.parametrize("see", SEEING.values(), ids=SEEING)
def test_a_batch_without_memory_names_the_setting(monkeypatch, see):
    monkeypatch.setattr(device.backend, "forward", lambda _: full)
    with pytest.raises(TrainingError, match=r"OOM .*Lower preprocess\.size, or end what else"):
        see(a_pixel_counts(0.01), np.ones((2, 8, 8, 1), np.uint8))


def test_what_the_backend_refuses_is_told(monkeypatch):
    """It waits for ten seconds, whether memory comes free."""
    monkeypatch.setattr(device.backend, "forward", lambda _: lambda _: tf.zeros([1 << 58]))
    with pytest.raises(TrainingError, match=r"OOM .*Lower preprocess\.size"):
        score(a_pixel_counts(0.01), np.ones((2, 8, 8, 1), np.uint8))


@pytest.mark.parametrize(("layer", "kind"), [("dropout", Stored), (CUT, OnTheFly)])
def test_without_memory_training_goes_on_with_less(with_memory, monkeypatch, capsys, layer, kind):
    """Pooled features go to the disk; what is larger than its pixels is computed anew."""
    _, _, expected = train(start(), layer, make_data(count=2))
    with_memory(GB)
    monkeypatch.setattr(residence, "size_of", lambda shape: 257 if layer == CUT else 1)
    monkeypatch.setattr(Prefix, "resident", full)
    feed, _, found = train(start(), layer, make_data(count=2))
    assert isinstance(feed, kind)
    assert "OOM when allocating a tensor. Lower augment.views" in capsys.readouterr().out
    for one, other in zip(expected, found, strict=True):
        assert np.abs(one - other).max() < 1e-5 * max(1, np.abs(one).max())


def test_a_step_without_memory_names_the_setting(monkeypatch):
    monkeypatch.setattr(Steps, "over_rows", full)
    with pytest.raises(TrainingError, match=r"allocating a tensor\. Lower .*batch_size"):
        train(start(), "dropout", make_data(count=1))
