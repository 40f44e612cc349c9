from pathlib import Path

import pytest
import torch
from torch import nn
from torch.export import Dim

from pipeline.config import ModelConfig
from pipeline.errors import ModelError
from pipeline.interfaces import InputConstraints
from pipeline.models.exported import load
from pipeline.models.loaded import Loaded
from tests import networks


def loaded(
    network: nn.Module, folder: Path, shape: tuple[int, ...] = (1, 3, 40, 48), bands: int = 3, **dims: Dim
) -> Loaded:
    axes = {"batch": 0, "rows": 2, "cols": 3}
    path = networks.export(network, folder / "net.pt2", shape, {axes[name]: dim for name, dim in dims.items()})
    return load(ModelConfig(kind="exported", path=path), bands, torch.device("cpu"))


def test_sizes_that_rows_and_cols_both_take_are_told(tmp_path: Path) -> None:
    found = loaded(networks.Twice(), tmp_path, rows=Dim("rows", min=12, max=500), cols=Dim("cols", min=20, max=900))
    assert found.accepts == InputConstraints(minimum=20, maximum=500, multiple=1, batch=1)


def test_a_fixed_size_that_is_no_square_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="rows of 40 px and cols of 48 px"):
        loaded(networks.Twice(), tmp_path)


def test_a_smallest_batch_is_filled(tmp_path: Path) -> None:
    network = networks.Twice()
    found, x = loaded(network, tmp_path, (5, 3, 32, 32), batch=Dim("batch", min=4, max=8)), torch.randn(1, 3, 32, 32)
    assert found.accepts.batch == 4
    assert torch.allclose(found(x), network(x), atol=1e-5)


def test_any_batch_means_one_image(tmp_path: Path) -> None:
    found = loaded(networks.Twice(), tmp_path, (5, 3, 32, 32), batch=Dim("batch"))
    assert found.accepts.batch is None
    assert found(torch.randn(1, 3, 32, 32)).shape == (1, 4, 32, 32)


def test_bands_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"5 bands are read, but the program in .* takes 3 bands"):
        loaded(networks.Twice(), tmp_path, (1, 3, 32, 32), bands=5)


class Two(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


def test_a_program_of_two_inputs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.pt2"
    torch.export.save(torch.export.export(Two(), (torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))), path)
    with pytest.raises(ModelError, match="takes 2 inputs"):
        load(ModelConfig(kind="exported", path=path), 3, torch.device("cpu"))


def archive(path: Path, **records: str) -> Path:
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, text in {
        "archive_format": "pt2",
        "archive_version": "0",
        **{name.replace("__", "/"): text for name, text in records.items()},
    }.items():
        writer.write_record(name, text, len(text))
    writer.write_end_of_file()
    return path


def test_a_library_that_was_compiled_is_no_program(tmp_path: Path) -> None:
    path = archive(tmp_path / "net.pt2", data__aotinductor__model__a="no library")
    with pytest.raises(ModelError, match=r"a library that AOTInductor compiled.*torch\.export\.save.*factory"):
        load(ModelConfig(kind="exported", path=path), 3, torch.device("cpu"))


def test_all_of_an_archive_is_what_a_program_is(tmp_path: Path) -> None:
    """Its graph, its weights, and whatever else lies in it, such as a compiled library."""
    path = networks.export(networks.Twice(), tmp_path / "net.pt2", (1, 3, 32, 32), {})
    program, found = torch.export.load(path), list[dict[str, object]]()
    for text in ("a library", "another one"):
        torch.export.save(program, path, extra_files={"library": text})
        found.append(load(ModelConfig(kind="exported", path=path), 3, torch.device("cpu")).identity())
    assert found[0] != found[1]
