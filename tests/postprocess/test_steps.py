"""Steps of a config as steps of a store: sizes in its unit, classes by their codes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from pipeline.config.postprocess import StepConfig, parse_size
from pipeline.errors import ConfigError
from pipeline.postprocess.steps import SizeStep, WindowStep, resolve_steps
from pipeline.store.spec import ClassRow, StoreSpec
from tests.store import specs

NAMELESS = tuple(ClassRow(code=k, name=f"class{k}", color="#112233") for k in range(3))


def resolved(step: dict[str, Any], spec: StoreSpec | None = None) -> SizeStep | WindowStep:
    return resolve_steps([StepConfig(**step)], spec or specs.spec())[0]


@pytest.mark.parametrize(
    ("text", "size"), [("100 m2", (100, "m2")), ("1e3um2", (1000, "um2")), ("20.5 PX", (20.5, "px"))]
)
def test_a_size_is_a_number_and_a_unit(text: str, size: tuple[float, str]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["100", "0 px", "-1 px", "10 ha", "px", "", 100])
def test_what_is_no_size_is_refused_with_examples(text: Any) -> None:
    with pytest.raises(ValueError, match="such as 100 m2, 10 um2 or 20 px"):
        parse_size(text)


def test_sizes_are_in_the_unit_of_the_grid() -> None:
    ground = resolved({"sieve": "1000 m2"})
    assert isinstance(ground, SizeStep)
    assert (ground.size, ground.unit, round(ground.pixels, 1)) == (1000, "m2", 10.0)
    slide = specs.spec("of a slide")
    assert resolved({"sieve": "1e-12 m2"}, slide) == resolved({"sieve": "1 um2"}, slide)
    assert resolved({"sieve": "1 um2"}, slide) == SizeStep(operation="sieve", size=1, unit="um2", pixels=16)
    assert resolved({"sieve": "9 px"}, slide) == SizeStep(operation="sieve", size=9, unit="px", pixels=9)


def test_areas_are_refused_where_pixels_have_none() -> None:
    with pytest.raises(ConfigError, match=r"fill_holes .* is 5 m2, but the raster has neither a CRS nor a pixel size"):
        resolved({"fill_holes": "5 m2"}, specs.spec("without a CRS"))


def test_removed_components_become_the_class_of_role_background() -> None:
    step = resolved({"remove_small": "4 px"})
    assert isinstance(step, SizeStep)
    assert (step.background, step.sentence) == (7, "remove_small: components below 4 px become code 7")


@pytest.mark.parametrize("step", [{"remove_small": "4 px"}, {"open": 2}])
def test_without_a_background_nothing_is_removed(step: dict[str, Any]) -> None:
    rows = tuple(replace(row, role=None) for row in specs.CLASSES)
    with pytest.raises(ConfigError, match=r"needs one class with role: background.* of the 3 classes none has it"):
        resolved(step, specs.spec(classes=rows))


def test_classes_are_opened_and_closed_in_the_order_of_the_table_or_of_the_step() -> None:
    assert resolved({"open": 2}) == WindowStep(operation="open", radius=2, codes=(0, 3), background=7)
    ordered = resolved({"close": 1, "classes": ["forest", "open water"]})
    assert ordered == WindowStep(operation="close", radius=1, codes=(7, 0))


def test_more_than_two_classes_that_nobody_named_have_no_order() -> None:
    with pytest.raises(ConfigError, match="nobody has named the 3 classes"):
        resolved({"close": 1}, specs.spec(classes=NAMELESS))
    assert resolved({"close": 1}, specs.spec(classes=NAMELESS[:2])).codes == (0, 1)  # type: ignore[union-attr]


def test_a_class_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean forest"):
        resolved({"close": 1, "classes": ["forrest"]})


@pytest.mark.slow
def test_neither_postprocessing_nor_apply_imports_torch() -> None:
    modules = "pipeline.postprocess.cleaning, pipeline.postprocess.passes, pipeline.running.apply, pipeline.cli.apply"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
