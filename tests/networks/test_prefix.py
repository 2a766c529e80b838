import errno
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from tasks.common.errors import TrainingError
from tasks.networks import augmentation, layers, pass_files, prefix
from tasks.networks.augmentation import PRESETS
from tasks.networks.prefix import Prefix

COUNT = 70  # five batches of two views, the last one short
CUT = "block11_expand_conv"


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (COUNT, 32, 32, 1)).astype(np.uint8)


@pytest.fixture
def views():
    ids = [f"{k:x}" for k in range(COUNT)]
    drawn = augmentation.draw(PRESETS["tutorial"], 5, ids, (32, 32))
    return [drawn, augmentation.plain(COUNT)]


@pytest.fixture(scope="module")
def built(make):
    keras.utils.set_random_seed(3)
    return make(weights="imagenet")


@pytest.fixture
def model(built):
    """The network as it was built, whatever another test has made of it."""
    weights = built.get_weights()
    yield built
    built.set_weights(weights)


def run(model, images, views, names=(CUT, "dropout")):
    return Prefix(model, names).activations(images, views, "Test images")


def test_rows_are_what_arrives_at_the_layers(model, images, views):
    at_cut, pooled = run(model, images, views)
    assert at_cut.dtype == np.float16
    assert at_cut.shape == (2 * COUNT, 2, 2, 112)
    assert pooled.shape == (2 * COUNT, 1280)
    part, _ = layers.cut(model, CUT)
    expected = np.asarray(part(images.astype(np.float32)))
    assert np.allclose(at_cut[COUNT:], expected, rtol=2e-3, atol=2e-3)
    assert not np.allclose(at_cut[:COUNT], expected, rtol=0.1, atol=0.1)
    turned = augmentation.render(images, views[0]).astype(np.float32)
    assert np.corrcoef(at_cut[:COUNT].ravel(), np.asarray(part(turned)).ravel())[0, 1] > 0.99


def test_what_is_stored_is_found_again(model, images, views, monkeypatch, capsys):
    first = run(model, images, views)
    monkeypatch.setattr(prefix, "outputs", None)
    again = run(model, images, views)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert "stored activations found" in capsys.readouterr().out


def test_what_was_damaged_is_computed_anew(model, images, views, repeatable, capsys):
    expected = [np.array(array) for array in run(model, images, views)]
    file = next((repeatable / "prefix").glob(f"*.{CUT}.npy"))
    whole = file.read_bytes()
    file.write_bytes(whole[:5000] + bytes(len(whole) // 10) + whole[5000 + len(whole) // 10 :])
    found = run(model, images, views)
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
    assert file.read_bytes() == whole
    assert "is damaged" in capsys.readouterr().out


def test_other_inputs_are_not_found(model, images, views, monkeypatch):
    run(model, images, views)
    monkeypatch.setattr(prefix, "outputs", None)
    other_images = images.copy()
    other_images[-1, -1, -1] ^= 1
    other_views = [augmentation.draw(PRESETS["tutorial"], 6, "x" * COUNT, (32, 32)), views[1]]
    for changed in ((other_images, views), (images, other_views), (images, views[::-1])):
        with pytest.raises(TypeError):
            run(model, *changed)
    kernel, *rest = model.get_layer("stem_conv").get_weights()
    model.get_layer("stem_conv").set_weights([kernel * 1.001, *rest])
    with pytest.raises(TypeError):
        run(model, images, views)


def test_a_new_head_finds_what_the_old_one_stored(model, images, views, monkeypatch):
    run(model, images, views)
    monkeypatch.setattr(prefix, "outputs", None)
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel + 1, bias])
    run(model, images, views)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("batches", [1, 4])
def test_a_killed_pass_goes_on_where_it_stopped(
    model, images, views, monkeypatch, repeatable, batches
):
    expected = [np.array(array) for array in run(model, images, views)]
    for file in (repeatable / "prefix").iterdir():
        file.unlink()
    monkeypatch.setattr(prefix, "MARK_EVERY", 2)
    real, computed = prefix.outputs, []

    def dies(*arguments):
        for count, batch in enumerate(real(*arguments)):
            if count == batches:
                raise Killed
            yield batch

    monkeypatch.setattr(prefix, "outputs", dies)
    with pytest.raises(Killed):
        run(model, images, views)

    def counts(*arguments):
        for batch in real(*arguments):
            computed.append(batch)
            yield batch

    monkeypatch.setattr(prefix, "outputs", counts)
    found = run(model, images, views)
    assert len(computed) == 5 - batches // 2 * 2
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def test_a_row_does_not_depend_on_its_batch(model, images, views):
    _, whole = run(model, images, views[1:])
    _, few = run(model, images[40:43], [augmentation.plain(3)])
    assert np.array_equal(few, whole[40:43])


def test_weights_that_are_not_finite_are_noticed(make, images):
    model = make()
    kernel, *rest = model.get_layer("stem_conv").get_weights()
    model.get_layer("stem_conv").set_weights([np.full_like(kernel, np.nan), *rest])
    with pytest.raises(TrainingError, match="not finite"):
        run(model, images, [augmentation.plain(COUNT)])


def test_a_full_disk_is_noticed_before_it_is_full(model, images, views, monkeypatch):
    usage = pass_files.shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(pass_files.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TrainingError, match=r"augment\.views"):
        run(model, images, views)


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_pass_that_cannot_be_written_says_so(model, images, views, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(pass_files.PassFiles, "finish", full)
        with pytest.raises(
            TrainingError, match=r"cannot be written or read \(No space left.*MEDLOOP_STATE"
        ):
            run(model, images, views)
    run(model, images, views)


def test_a_kill_between_the_last_renames_is_survived(model, images, views, monkeypatch, repeatable):
    expected = [np.array(array) for array in run(model, images, views)]
    for file in (repeatable / "prefix").iterdir():
        file.unlink()
    real, moved = Path.replace, []

    def dies(draft, target):
        if target.suffix == ".npy":
            if moved:
                raise Killed
            moved.append(target)
        return real(draft, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dies)
        with pytest.raises(Killed):
            run(model, images, views)
    found = run(model, images, views)
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
    assert {file.suffix for file in (repeatable / "prefix").iterdir()} == {".npy"}


def test_old_files_make_room(model, images, views, monkeypatch, repeatable):
    monkeypatch.setattr(pass_files, "KEPT", 2)
    run(model, images, views)
    (kept,) = run(model, images[:5], [augmentation.plain(5)], ["dropout"])
    assert len(list((repeatable / "prefix").iterdir())) == 1
    assert kept.shape == (5, 1280)
