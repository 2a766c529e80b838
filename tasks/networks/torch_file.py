"""Read a state dictionary that PyTorch saved in its legacy format, without PyTorch.

The file is a sequence of pickles followed by raw storages. Unpickling runs code, so only the four
names that such a file needs are let through. Nor does the file decide how much memory is taken:
what it announces is held to what it has before anything is made of it.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import WeightsError

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
MOST_BYTES = 1 << 32
SHOWN = 200  # characters of what went wrong
PARTS = """
PROTO STOP GLOBAL REDUCE BUILD BINPERSID BINPUT LONG_BINPUT BINGET LONG_BINGET MARK NONE NEWTRUE
NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3
EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS
"""
OPCODES = frozenset(PARTS.split())  # what the pickles of a state dictionary are made of


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
        if not isinstance(key, str) or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError("a storage without a name or a type")
        self.dtypes[key] = dtype
        return key


def load_state(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a legacy `.pth` file by name, read-only.

    Raises:
        WeightsError: the file is none, or holds more than plain tensors.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES / 1e9:.1f} GB")
        return _read(path.read_bytes())
    except Exception as error:  # a crafted file fails in more ways than can be listed
        raise WeightsError(
            "required: a state dictionary in PyTorch's legacy format; received: "
            f"{path} ({type(error).__name__}: {str(error)[:SHOWN]})"
        ) from None


def _read(content: bytes) -> dict[str, NDArray[Any]]:
    file = io.BytesIO(content)
    if _load(file, _Unpickler(file)) != MAGIC:
        raise ValueError("the magic number is missing")
    for _ in ("protocol", "system"):
        _load(file, _Unpickler(file))
    unpickler = _Unpickler(file)
    views = _load(file, unpickler)
    if not isinstance(views, dict) or not all(isinstance(v, _View) for v in views.values()):
        raise ValueError("the file holds something else than tensors by name")
    keys: list[str] = _load(file, _Unpickler(file))
    storages = {key: _storage(file, len(content), unpickler.dtypes[key]) for key in keys}
    return {str(name): _tensor(storages[view.storage], view) for name, view in views.items()}


def _load(file: IO[bytes], unpickler: pickle.Unpickler) -> Any:
    """Unpickle what follows in the file, after a look at it that makes nothing."""
    start = file.tell()
    for opcode, argument, place in pickletools.genops(file):
        if opcode.name not in OPCODES:
            raise pickle.UnpicklingError(f"{opcode.name} is not part of a plain state dictionary")
        if opcode.name == "LONG_BINPUT" and int(argument or 0) > (
            place or 0
        ):  # makes a table so long
            raise pickle.UnpicklingError("a number past all that was made before")
    file.seek(start)
    return unpickler.load()


def _storage(file: IO[bytes], end: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    size = int.from_bytes(file.read(8), "little", signed=True) * dtype.itemsize
    if not 0 <= size <= end - file.tell():
        raise ValueError("a storage reaches past the file")
    return np.frombuffer(file.read(size), dtype)


def _view(storage: str, offset: int, shape: Any, strides: Any, *_: object) -> _View:
    return _View(storage, offset, tuple(shape), tuple(strides))


def _tensor(storage: NDArray[Any], view: _View) -> NDArray[Any]:
    """A view of the storage. The strides count: convolutions are saved permuted."""
    if not all(type(n) is int for n in (view.offset, *view.shape, *view.strides)):
        raise TypeError("a tensor's place and shape are not of whole numbers")
    steps = [(n - 1) * step for n, step in zip(view.shape, view.strides, strict=True)]
    if view.offset < 0 or min(steps, default=0) < 0 or view.offset + sum(steps) >= storage.size:
        raise ValueError("a tensor reaches past its storage")
    if prod(view.shape) > storage.size:  # with a stride of 0
        raise ValueError("a tensor has more elements than its storage")
    strides = [step * storage.itemsize for step in view.strides]
    return np.lib.stride_tricks.as_strided(
        storage[view.offset :], view.shape, strides, writeable=False
    )
