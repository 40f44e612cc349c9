from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import Unfinished
from pipeline.geometry.blocks import BlockIndex
from pipeline.geometry.window import Window
from pipeline.inference import write as module
from pipeline.inference.write import write_block
from pipeline.store import overviews
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import open_layer
from tests.store import leases, specs

WINDOW = Window(row=0, col=32, height=32, width=32)


def written(path: Path, made: str) -> tuple[bool, bool]:
    """Whether the chunk, and its record, are there after a block was written, or refused."""
    with contextlib.suppress(Unfinished):
        write_block(path, BlockIndex(0, 1), WINDOW, ("mask",), {"mask": np.full((32, 32), 3, "uint8")}, {}, made)
    return bool((open_layer(path, 0, "mask")[WINDOW.slices] == 3).all()), Ledger(path).record((0, 1)) is not None


@pytest.mark.parametrize(
    ("made", "expected"),
    [("one", (True, True)), ("", (True, True)), ("the store that stood here before", (False, False))],
)
def test_nothing_is_written_to_a_store_that_took_the_place_of_ours(
    tmp_path: Path, made: str, expected: tuple[bool, bool]
) -> None:
    assert written(leases.store(tmp_path), made) == expected


def test_a_store_that_is_lost_while_chunks_are_written_gets_no_record_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()

    def confirm(store: Path, made: str) -> None:
        asked.append(made)
        if len(asked) == 2:
            raise Unfinished("taken over")

    monkeypatch.setattr(module, "assert_held", confirm)
    assert written(leases.store(tmp_path), "one") == (True, False)


def test_neither_is_an_overview_of_ours(tmp_path: Path) -> None:
    path, of = leases.store(tmp_path), specs.spec()
    with pytest.raises(Unfinished, match="made anew"):
        overviews.OverviewTask(store=path, spec=of, level=1, store_id="the store that stood here before")(
            BlockIndex(0, 0)
        )
    assert Ledger(path, 1).committed() == set()
    assert {level.task.store_id for level in overviews.levels(path, of)} == {"one"}
