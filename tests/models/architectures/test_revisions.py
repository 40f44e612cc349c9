"""Networks of ours are identified by name and revision: what one computes changes only together with its number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pipeline.models.architectures
from pipeline.models.architectures import NETWORKS, revision
from tests.models.architectures.revisions import COMPUTES, TABLE, Numbers, module

TOLERANCE = 1e-6
"""Of float64, which processors round alike."""
KNOWN = json.loads(TABLE.read_text())
COSTLY = {"convolutional"}
"""What takes a second."""


def alike(there: Numbers, known: list[float]) -> bool:
    return len(there) == len(known) and bool(np.allclose(there, known, rtol=TOLERANCE, atol=TOLERANCE))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in COSTLY else []) for name in COMPUTES]
)
def test_what_computes_something_else_has_another_revision(name: str) -> None:
    where, (number, known) = module(name), KNOWN[name]
    same, anew = (
        alike(COMPUTES[name](), known),
        "then write the table anew: python -m tests.models.architectures.revisions",
    )
    if revision(where) == number:
        assert same, (
            f"{name} of {where} computes something else than it did, and stores know it by revision "
            f"{number}, so that a rerun would mix both. Raise REVISION "
            f"in that module, and in each whose name fails here as well; {anew}."
        )
    doubt = ", though it computes what it did: stores of before would be refused" if same else ""
    assert revision(where) == number, f"{where} is of revision {revision(where)} now{doubt}. If so it shall be, {anew}."


def test_every_module_that_has_a_revision_is_looked_at() -> None:
    files = Path(pipeline.models.architectures.__file__).parent.glob("*.py")
    numbered = {
        f"pipeline.models.architectures.{file.stem}"
        for file in files
        if "\nREVISION = " in file.read_text(encoding="utf-8")
    }
    assert numbered == {module(name) for name in COMPUTES}
    assert KNOWN.keys() == COMPUTES.keys()


def test_every_network_that_a_config_can_name_has_a_revision() -> None:
    assert all(revision(f"pipeline.models.architectures.{kind}") for kind in NETWORKS)
