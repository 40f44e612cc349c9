"""Files of torch.save with all that people pickle into them; nothing of it runs."""

from __future__ import annotations

import collections
import enum
import functools
import os
import pathlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.models.weights.torch_pickle import Inert, Lazy, Storage, open_torch_file

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


class Payload:
    """What a planted pickle does: it calls a function of its choice."""

    def __init__(self, call: Any, *args: Any) -> None:
        self.reduced = (call, args)

    def __reduce__(self) -> Any:
        return self.reduced


class Attributes(dict[str, Any]):
    """As Lightning's hyperparameters are: a dict with a state of its own."""

    def __init__(self) -> None:
        super().__init__(lr=1e-3)
        self.name = "run"

    class Inner:
        def __init__(self) -> None:
            self.depth = 3


class Colour(enum.Enum):
    RED = 1


class Slotted:
    __slots__ = ("a",)

    def __init__(self) -> None:
        self.a = 1


class Growing(list[int]):
    pass


def read(path: Path) -> dict[str, Any]:
    with open_torch_file(path) as (held, fetch):
        return {name: fetch(value) if isinstance(value, Lazy) else value for name, value in held.items()}


@FORMATS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_come_out_as_they_went_in(zipped: bool, protocol: int, tmp_path: Path) -> None:
    base = torch.arange(60.0).reshape(3, 4, 5)
    held = {
        "plain": base,
        "view": base[1:, ::2],
        "turned": base.permute(2, 0, 1),
        "scalar": torch.tensor(7),
        "empty": torch.empty(0, 3),
        "half": base.half(),
        "brain": base.bfloat16(),
        "bool": base > 3,
        "bytes": base.byte(),
        "parameter": nn.Parameter(base + 1),
        "number": 3,
        "text": "köln",
        "list": [1, 2.5, None, True],
        "tuple": (1, (2,)),
    }
    torch.save(held, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    for name, value in read(tmp_path / "a.pt").items():
        if isinstance(value, torch.Tensor):
            assert value.dtype == held[name].dtype
            assert torch.equal(value, held[name].data)
        else:
            assert value == held[name]


def test_a_parameter_with_attributes_and_a_tensor_of_a_class_are_tensors(tmp_path: Path) -> None:
    marked = nn.Parameter(torch.ones(3))
    marked.origin = "somewhere"  # type: ignore[attr-defined]
    torch.save({"marked": marked, "buffer": nn.Buffer(torch.zeros(2))}, tmp_path / "a.pt")
    held = read(tmp_path / "a.pt")
    assert held["marked"].tolist() == [1, 1, 1]
    assert held["buffer"].tolist() == [0, 0]


@FORMATS
@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_objects_of_any_class_are_inert(zipped: bool, protocol: int, tmp_path: Path) -> None:
    held = {
        "attributes": Attributes(),
        "inner": Attributes.Inner(),
        "enum": Colour.RED,
        "slots": Slotted(),
        "growing": Growing([1, 2]),
        "partial": functools.partial(print, 3),
        "default": collections.defaultdict(list, a=[1]),
        "path": pathlib.PurePosixPath("/a"),
        "set": {1, 2},
        "frozen": frozenset({1}),
        "bytes": b"abc",
        "class": Attributes,
        "function": os.getcwd,
        "size": torch.Size([1]),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "network": nn.Sequential(nn.Conv2d(1, 1, 1)),
        "method": Attributes().keys,
        "complex": 1j,
        "range": range(3),
        "deque": collections.deque([1]),
        "counter": collections.Counter("ab"),
    }
    held |= {"keyed": {Colour.RED: 1, pathlib.PurePosixPath("/b"): 2}, "last": torch.ones(2)}
    held.pop("method")  # of a dict, whose pickle calls iter
    torch.save(held, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    made = read(tmp_path / "a.pt")
    assert made["last"].tolist() == [1, 1]
    assert isinstance(made["attributes"], Inert)
    assert made["attributes"].said.endswith("Attributes")
    ours = {"pipeline.models.weights.torch_pickle", "builtins", "torch"}
    assert {type(value).__module__ for value in made.values()} <= ours


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_nothing_that_is_planted_runs(zipped: bool, protocol: int, tmp_path: Path) -> None:
    target = tmp_path / "planted"
    called = functools.partial(open, str(target), "w")
    for plan in (
        Payload(os.system, f"touch {target}"),
        Payload(exec, f"open({str(target)!r}, 'w')"),
        Payload(torch.save, 1, str(target)),
        Payload(called),
    ):
        torch.save(
            {"hyper_parameters": plan, "weight": torch.ones(1)},
            tmp_path / "a.pt",
            _use_new_zipfile_serialization=zipped,
            pickle_protocol=protocol,
        )
        assert read(tmp_path / "a.pt")["weight"].item() == 1
        assert not target.exists()
    torch.load(tmp_path / "a.pt", weights_only=False)
    assert target.exists(), "the payload would work on a careless reader"


def test_a_pickle_cannot_change_what_the_reader_made(tmp_path: Path) -> None:
    """BUILD, SETITEMS and APPENDS on the classes themselves, not on instances of them."""
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    for name in (rebuild, b"ccollections\nOrderedDict\n", b"cos\nsystem\n", b"cbuiltins\ngetattr\n"):
        for change in (b"(dVx\nI1\nsb", b"(NdVx\nI1\nstb", b"(I1\nI2\ne", b"(Vx\nI1\nu", b"(I1\nI2\n\x90"):
            with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
                archive.writestr("a/data.pkl", b"\x80\x04" + name + change + b".")
            try:
                with open_torch_file(tmp_path / "a.pt") as (held, _):
                    assert not hasattr(held, "x")
            except (TypeError, AttributeError, pickle.UnpicklingError):
                pass


def test_a_tensor_that_reaches_beyond_its_bytes_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(4)}, tmp_path / "a.pt")
    with open_torch_file(tmp_path / "a.pt") as (held, fetch), pytest.raises(RuntimeError, match="out of bounds"):
        fetch(held["a"]._replace(shape=(400,)))


def test_a_file_from_the_other_end_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(4)}, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as old, zipfile.ZipFile(tmp_path / "b.pt", "w") as new:
        for entry in old.namelist():
            new.writestr(entry, b"big" if entry.endswith("byteorder") else old.read(entry))
    with pytest.raises(ValueError, match="big-endian"), open_torch_file(tmp_path / "b.pt"):
        pass


def test_tensors_are_read_one_by_one(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(4), "b": torch.zeros(9)}, tmp_path / "a.pt")
    with open_torch_file(tmp_path / "a.pt") as (held, _):
        assert held["b"] == Lazy(Storage("1", torch.float32), 0, (9,), (1,))
