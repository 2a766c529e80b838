"""Read a state dictionary that PyTorch saved in its legacy format, without PyTorch.

The file is a sequence of pickles followed by raw storages. Unpickling runs code, so only the four
names that such a file needs are let through.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import WeightsError

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _View:
    """A tensor before its storage is read: offset, shape and strides count elements."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Lets through what a state dictionary is made of, and collects its storages."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not part of a plain state dictionary")

    def persistent_load(self, pid: Any) -> str:
        _, dtype, key, *_ = pid
        self.dtypes[key] = dtype
        return str(key)


def load_state(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a legacy `.pth` file by name.

    Raises:
        WeightsError: the file is none, or holds more than plain tensors.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (OSError, pickle.UnpicklingError, ValueError, EOFError, KeyError, TypeError) as error:
        raise WeightsError(
            f"required: a state dictionary in PyTorch's legacy format; received: {path} ({error})"
        ) from None


def _read(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    if _Unpickler(file).load() != MAGIC:
        raise ValueError("the magic number is missing")
    for _ in ("protocol", "system"):
        _Unpickler(file).load()
    unpickler = _Unpickler(file)
    views: dict[str, _View] = unpickler.load()
    keys: list[str] = _Unpickler(file).load()
    storages = {key: _storage(file, unpickler.dtypes[key]) for key in keys}
    return {name: _tensor(storages[view.storage], view) for name, view in views.items()}


def _storage(file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
    count = int(np.frombuffer(file.read(8), "<i8")[0])
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)


def _view(storage: str, offset: int, shape: Any, strides: Any, *_: object) -> _View:
    return _View(storage, offset, tuple(shape), tuple(strides))


def _tensor(storage: NDArray[Any], view: _View) -> NDArray[Any]:
    """The strides count: convolutions are saved permuted."""
    steps = [(n - 1) * step for n, step in zip(view.shape, view.strides, strict=True)]
    if view.offset < 0 or min(steps, default=0) < 0 or view.offset + sum(steps) >= storage.size:
        raise ValueError("a tensor reaches past its storage")
    strides = [step * storage.itemsize for step in view.strides]
    seen = np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides)
    return np.ascontiguousarray(seen)
