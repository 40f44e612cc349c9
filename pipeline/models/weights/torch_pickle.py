"""Files of ``torch.save``, read without running anything of them: tensors and plain values come out, all else is inert.

Such a file is a pickle, a small program that may call whatever it names. Torch's own restricted reader refuses a file
that names a class unknown to it, as a trainer's checkpoint does, and can be told of such classes only in the zip format
and only where they are no dicts; its unrestricted reader hands a file that looks like TorchScript to a loader that runs
it. So the pickle is read here. Every name in it becomes a class of this module, and none of these does more than hold
values.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch

STORAGE_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}


class Inert:
    """What a name in a pickle becomes.

    It bears whatever the pickle does with it, as a class and as an instance, and does nothing.
    """

    said = ""
    """The name."""

    def __new__(cls, *given: Any, **kwargs: Any) -> Any:
        """Whatever the arguments."""
        return super().__new__(cls)

    def __call__(self, *given: Any, **kwargs: Any) -> Any:
        """Itself, whatever the arguments."""
        return self

    def __setstate__(self, *given: Any) -> None: ...
    def __setitem__(self, *given: Any) -> None: ...
    def append(self, *given: Any) -> None:
        """Nothing."""

    extend = add = append


class Storage(NamedTuple):
    """Where numbers lie in the file. A tuple, since a pickle may try to change what it made."""

    key: str
    dtype: torch.dtype
    start: int = 0


class Lazy(NamedTuple):
    """A tensor that has not been read."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


Fetch = Callable[[Any], torch.Tensor]
"""Reads a tensor onto the CPU."""


class _Entries(dict[Any, Any]):
    """An OrderedDict without the attributes that it was pickled with."""

    def __setstate__(self, *given: Any) -> None: ...


class _Tensor(Inert):
    def __new__(cls, storage: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *rest: Any) -> Any:
        return Lazy(storage, offset, tuple(shape), tuple(strides)) if isinstance(storage, Storage) else Inert()


class _Parameter(Inert):
    def __new__(cls, tensor: Any, *rest: Any) -> Any:
        return tensor


class _Subclass(Inert):
    """A tensor of a class of its own: the tensor."""

    def __new__(cls, rebuild: Any, kind: Any, args: tuple[Any, ...], *rest: Any) -> Any:
        return rebuild(*args)


class _Attribute(Inert):
    """How older pickles name a class within a class."""

    def __new__(cls, owner: Any, name: str) -> Any:
        return _inert(f"{getattr(owner, 'said', '')}.{name}")


CLASSES_BY_NAME: dict[str, type[Any]] = {
    "collections.OrderedDict": _Entries,
    "torch._utils._rebuild_tensor": _Tensor,
    "torch._utils._rebuild_tensor_v2": _Tensor,
    "torch._utils._rebuild_parameter": _Parameter,
    "torch._utils._rebuild_parameter_with_state": _Parameter,
    "torch._tensor._rebuild_from_type_v2": _Subclass,
    "builtins.getattr": _Attribute,
    "__builtin__.getattr": _Attribute,
}
"""The names that mean something; any other is inert."""


class _Reader(pickle.Unpickler):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin1")  # of Python 2, whose text may be bytes
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> type[Any]:
        return CLASSES_BY_NAME.get(f"{module}.{name}") or _inert(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """A storage, or the source of a class.

        A storage is its class, key, device, length and, in older files, the view of another.
        """
        dtype = STORAGE_DTYPES.get(getattr(pid[1], "said", "").rpartition(".")[2])
        if pid[0] != "storage" or dtype is None:
            return pid[1]
        key, view = str(pid[2]), pid[5] if len(pid) > 5 else None
        storage = self.storages.setdefault(key, Storage(key, dtype))
        return storage._replace(start=int(view[1])) if view else storage


@contextmanager
def open_torch_file(path: Path) -> Iterator[tuple[Any, Fetch]]:
    """Open a file of ``torch.save``, of any release of torch and any device.

    Yields
    ------
    tuple
        What it holds, its tensors as `Lazy`, and what reads one of these onto the CPU. What was saved on a GPU is read
        there too.

    Raises
    ------
    Exception
        Whatever broken bytes make the readers raise.
    """
    with path.open("rb") as file:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(file) as archive:
                yield _zipped(archive)
        else:
            yield _legacy(file)


def _zipped(archive: zipfile.ZipFile) -> tuple[Any, Fetch]:
    inside = next(name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl").removesuffix("data.pkl")
    if f"{inside}byteorder" in archive.namelist() and archive.read(f"{inside}byteorder") != b"little":
        raise ValueError("it was written on a big-endian machine")
    with archive.open(f"{inside}data.pkl") as file:
        content = _Reader(file).load()
    return content, lambda lazy: _tensor(lazy, archive.read(f"{inside}data/{lazy.storage.key}"))


def _legacy(file: IO[bytes]) -> tuple[Any, Fetch]:
    """Read a file of torch before 1.6.

    It holds magic number, version, machine, the pickle, the keys of the storages, then each one's length and bytes.
    """
    _, _, machine = (_Reader(file).load() for _ in range(3))
    if isinstance(machine, Mapping) and not machine.get("little_endian", True):
        raise ValueError("it was written on a big-endian machine")
    reader = _Reader(file)
    content = reader.load()
    places = _places(file, [str(key) for key in _Reader(file).load()], reader.storages)

    def fetch(lazy: Lazy) -> torch.Tensor:
        start, size = places[lazy.storage.key]
        file.seek(start)
        return _tensor(lazy, file.read(size))

    return content, fetch


def _places(file: IO[bytes], keys: list[str], storages: Mapping[str, Storage]) -> dict[str, tuple[int, int]]:
    """Start and size of each storage, bytes."""
    places = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        places[key] = file.tell(), count * storages[key].dtype.itemsize
        file.seek(places[key][1], 1)
    return places


def _tensor(lazy: Lazy, data: bytes) -> torch.Tensor:
    storage = lazy.storage
    flat = torch.frombuffer(bytearray(data), dtype=storage.dtype) if data else torch.empty(0, dtype=storage.dtype)
    # torch sees that it stays within the bytes
    return flat.as_strided(lazy.shape, lazy.strides, lazy.offset + storage.start)


def _inert(name: str) -> type[Inert]:
    return type(name.rpartition(".")[2] or "Inert", (Inert,), {"said": name})
