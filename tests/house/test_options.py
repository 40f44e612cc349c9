from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from pipeline.config import Config, InputConfig, ModelOutputConfig
from pipeline.planning.options import OPTIONS
from tests.house import options

PAGE = options.PAGE.read_text()


def example() -> Any:
    """The config that the page opens with."""
    match = re.search(r"```yaml\n(.*?)```", PAGE, re.S)
    assert match
    return yaml.safe_load(match[1])


def models() -> dict[str, Any]:
    return {name: Config.model_fields[name].annotation for name in ("source", "tile", "output", "execution")}


def test_the_page_has_the_table_of_the_package() -> None:
    assert options.written(PAGE, options.table(OPTIONS)) == PAGE, (
        "the table of options is stale; run python -m tests.house.options"
    )


def test_another_row_makes_the_page_stale() -> None:
    row = replace(OPTIONS[0], key="output.imaginary", explanation="what no release has", old_default=False)
    table = options.table([*OPTIONS, row])
    assert table.endswith("| `output.imaginary` | what no release has | yes | no | `false` |")
    assert options.written(PAGE, table) != PAGE


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="0 pairs of the marks"):
        options.written("# Title", "")


@pytest.mark.parametrize("name", ["source", "tile", "output", "execution"])
def test_the_example_lists_every_field_of_a_section(name: str) -> None:
    assert set(example()[name]) == {field.alias or key for key, field in models()[name].model_fields.items()}


@pytest.mark.parametrize("name", ["tile", "output", "execution"])
def test_the_example_shows_the_defaults(name: str) -> None:
    fields = models()[name].model_fields
    # it asks for one layer more
    defaults = {key: field.default for key, field in fields.items() if not field.is_required() and key != "layers"}
    assert {key: example()[name][key] for key in defaults} == defaults


@pytest.mark.parametrize(("name", "section"), [("input", InputConfig), ("output", ModelOutputConfig)])
def test_the_example_lists_what_normalises_pixels_and_what_the_network_returns(
    name: str, section: type[BaseModel]
) -> None:
    assert set(example()["model"][name]) == set(section.model_fields)
