"""The user's code that changes raw pixels.

Imported as factories are, per pixel or refused, and the same wherever it runs.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError, InferenceError, ModelError
from pipeline.models import input_transform as module
from pipeline.models.input_transform import Transform


def transform(place: str, bands: int, dtype: str = "uint16") -> Transform:
    return module.transform(place, bands, np.dtype(dtype))


HEAD = "import numpy as np\nimport torch\n\n\n"


def code(folder: Path, body: str, name: str = "raw.py") -> str:
    (folder / name).write_text(f"{HEAD}def change(x):\n    {body}\n")
    return f"{folder / name}:change"


PIXELWISE = {
    "logarithm": ("return torch.log(x)", 2),
    "gamma": ("return (x / 255).clamp(0, 1) ** (1 / 2.2)", 2),
    "root, in place": ("return x.sqrt_()", 2),
    "ratio of bands": ("return ((x[1] - x[0]) / (x[1] + x[0]))[None]", 1),
    "bands and their ratio": ("return torch.cat([x, x[:1] / x[1:2]])", 3),
    "a table": ("return torch.linspace(0, 1, 70000, dtype=torch.float64)[x.long()]", 2),
    "a logarithm with gaps": ("return torch.log(x - 5)", 2),
    "the input itself": ("return x", 2),
}


@pytest.mark.parametrize("name", PIXELWISE)
def test_a_function_of_pixels_is_taken_with_its_channels(name: str, tmp_path: Path) -> None:
    body, channels = PIXELWISE[name]
    made = transform(code(tmp_path, body), 2)
    assert made.channels == channels
    assert made(torch.ones(2, 3, 4)).dtype == torch.float32


REFUSED = {
    "minimum and maximum": (
        "return (x - x.amin((1, 2), True)) / (x.amax((1, 2), True) - x.amin((1, 2), True))",
        "not per pixel",
    ),
    "mean of the tile": ("return x - x.mean()", "only .* others were given other values"),
    "median of the tile": ("return x - x.median()", "not per pixel"),
    "quantile of the tile": ("return x / torch.quantile(x, 0.98)", "not per pixel"),
    "a switch by the brightest pixel": ("return x * (1 + (x.amax() > 200))", "only .* others were given other values"),
    "a blur": ("return torch.nn.functional.avg_pool2d(x, 3, 1, 1)", "not per pixel"),
    "a shift": ("return x.roll(1, 2)", "not per pixel"),
    "a mirror": ("return x.flip(1)", "not per pixel"),
    "the column": ("return x * torch.arange(x.shape[2])", "another row and column"),
    "the tile's size": ("return x / x.shape[1]", "smaller image"),
    "noise": ("return x + torch.rand(x.shape)", "other values for the same image"),
    "half the size": ("return x[:, ::2, ::2]", "other rows and columns"),
    "a batch": ("return x[None]", "other rows and columns"),
    "one band without its axis": ("return x[0]", "other rows and columns"),
    "whole numbers": ("return x.long()", "no tensor of floating numbers"),
    "an array": ("return x.numpy()", "ndarray"),
    "nothing": ("x.log_()", "NoneType"),
    "what raises": ("return x[7]", "failed on 2 bands: IndexError"),
    "channels by values": ("return x[: 1 + int(x.max() > 300)]", "1 or 2 channels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_all_else_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    body, why = REFUSED[name]
    with pytest.raises(ModelError, match=why) as refused:
        transform(code(tmp_path, body), 2)
    assert "model.input.transform" in str(refused.value)


@pytest.mark.parametrize(("dtype", "largest"), [("uint8", 255), ("int8", 127), ("int16", 32767), ("uint16", 65535)])
def test_no_value_is_tried_that_the_raster_cannot_hold(dtype: str, largest: int, tmp_path: Path) -> None:
    assert (
        transform(code(tmp_path, f"return torch.linspace(0, 1, {largest + 1})[x.to(torch.int64)]"), 2, dtype).channels
        == 2
    )


def test_a_state_between_calls_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="for the same image each time"):
        transform(code(tmp_path, "change.n = getattr(change, 'n', 0) + 1; return x + change.n"), 2)


@pytest.mark.parametrize(
    ("place", "error", "why"),
    [
        ("raw.py", ConfigError, r"needs file\.py:callable"),
        ("absent.py:change", ModelError, "does not exist"),
        ("raw.py:chance", ModelError, "nearest is change"),
        ("raw.py:", ConfigError, "needs file"),
    ],
)
def test_what_is_not_there_is_refused_by_the_key(place: str, error: type[Exception], why: str, tmp_path: Path) -> None:
    code(tmp_path, "return x")
    with pytest.raises(error, match=rf"^model\.input\.transform .*{why}"):
        transform(f"{tmp_path}/{place}", 2)


def test_modules_beside_it_and_files_that_it_reads_are_its_identity(tmp_path: Path) -> None:
    (tmp_path / "curve.py").write_text("import torch\n\n\ndef curve(x):\n    return torch.log1p(x)\n")
    (tmp_path / "gain.txt").write_text("2")
    place = code(
        tmp_path, f"from curve import curve; return curve(x) * float(open({str(tmp_path / 'gain.txt')!r}).read())"
    )
    first = transform(place, 1)
    assert set(first.identity()["code"]) == {"raw", "curve"}
    assert set(first.identity()["files"]) == {"gain.txt"}
    assert transform(place, 1) == first
    (tmp_path / "curve.py").write_text("import torch\n\n\ndef curve(x):\n    return torch.sqrt(x)\n")
    second = transform(place, 1)
    assert second.identity() != first.identity()
    assert second(torch.full((1, 1, 1), 9.0)).item() == 6
    (tmp_path / "gain.txt").write_text("3")
    assert transform(place, 1).identity() != second.identity()


def test_it_is_the_same_transform_wherever_its_folder_lies(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    one, other = (transform(code(tmp_path / name, "return x.log()"), 1) for name in "ab")
    assert one.identity() == other.identity()


def test_a_worker_that_finds_other_code_refuses_it(tmp_path: Path) -> None:
    planned = transform(code(tmp_path, "return x + 1"), 1)
    code(tmp_path, "return x + 2")
    transform(f"{tmp_path}/raw.py:change", 1)
    travelled = pickle.loads(pickle.dumps(planned))
    assert travelled(torch.zeros(1, 1, 1)).item() == 1, "what this process has imported already is what was planned"
    module._functions.clear()
    with pytest.raises(ModelError, match="was changed since this run was planned"):
        travelled(torch.zeros(1, 1, 1))


def test_a_worker_that_finds_another_table_beside_the_code_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "factor.txt").write_text("2")
    (tmp_path / "raw.py").write_text(
        f"FACTOR = float(open({str(tmp_path / 'factor.txt')!r}).read())\n\n\ndef change(x):\n    return x * FACTOR\n"
    )
    planned = transform(f"{tmp_path}/raw.py:change", 1)
    module._functions.clear()
    assert planned(torch.ones(1, 1, 1)).item() == 2
    module._functions.clear()
    (tmp_path / "factor.txt").write_text("5")
    with pytest.raises(ModelError, match="or a file that it reads"):
        planned(torch.ones(1, 1, 1))


def test_a_tile_that_it_cannot_change_is_an_error_of_the_block(tmp_path: Path) -> None:
    made = transform(code(tmp_path, "assert x.max() < 70000; return x"), 1)
    with pytest.raises(InferenceError, match="failed on a tile of 2×3 px: AssertionError"):
        made(torch.full((1, 2, 3), 70001.0))
