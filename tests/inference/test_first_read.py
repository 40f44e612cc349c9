"""The first block is read while the store is made, once, and its fault is the block's."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load import load_config
from pipeline.errors import BlocksFailed, ReadError
from pipeline.geometry.blocks import BlockIndex
from pipeline.inference import first_read
from pipeline.inference.block_task import BlockTask
from pipeline.inference.recipe import Block
from pipeline.planning.job import Job
from pipeline.planning.prepare import prepare_job
from pipeline.running.execute import execute
from pipeline.runtime.progress import Progress
from pipeline.store import lifecycle
from tests import scenes

FIRST = BlockIndex(0, 0)


def job(folder: Path) -> Job:
    return prepare_job(load_config(scenes.config(folder, execution={"engine": "threads"}, output={"block": 256})))


def test_the_first_block_is_read_before_there_is_a_store_and_no_block_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, read, create = job(tmp_path), BlockTask.block, lifecycle.create
    begun: list[tuple[BlockIndex, bool]] = []

    def noted_read(self: BlockTask, index: BlockIndex, requested: object) -> Block:
        begun.append((index, lifecycle.exists(self.store)))
        return read(self, index, requested)  # type: ignore[arg-type]

    def create_after_the_read(*args: object) -> bool:
        assert first_read._begun[0].block.result().index == FIRST
        return create(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(BlockTask, "block", noted_read)
    monkeypatch.setattr(lifecycle, "create", create_after_the_read)
    with Progress(quiet=True) as progress:
        report = execute(prepared, progress)
    assert begun[0] == (FIRST, False)
    assert report.done == prepared.blocks > 1
    assert sorted((index.row, index.col) for index, _ in begun) == sorted(
        (index.row, index.col) for index in prepared.task.blocks()
    )
    assert not first_read._begun


def test_a_first_block_that_cannot_be_read_fails_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, read = job(tmp_path), BlockTask.block

    def broken_read(self: BlockTask, index: BlockIndex, requested: object) -> Block:
        if index == FIRST:
            raise ReadError("the first block is torn")
        return read(self, index, requested)  # type: ignore[arg-type]

    monkeypatch.setattr(BlockTask, "block", broken_read)
    with Progress(quiet=True) as progress, pytest.raises(BlocksFailed, match=r"block 0,0 .*the first block is torn"):
        execute(prepared, progress)


def test_a_block_of_another_layout_is_not_taken_and_what_nobody_took_is_dropped(tmp_path: Path) -> None:
    task = job(tmp_path).task
    task.begin_reading()
    assert first_read.take_first_read(task.source, task.layout, BlockIndex(0, 1)) is None
    assert first_read.take_first_read(task.source, task.layout.with_swaths(7), FIRST) is None
    assert first_read._begun
    first_read.drop_first_read()
    assert first_read.take_first_read(task.source, task.layout, FIRST) is None
