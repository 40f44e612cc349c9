"""Memory of a process and of all that it started."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from pipeline.runtime.tree_memory import TreeMemory


class Tree:
    """A process of so many bytes, with others below it."""

    def __init__(self, size: int, below: list[Tree] | None = None) -> None:
        self.size, self.below, self.looks = size, below or [], 0

    def memory_info(self) -> SimpleNamespace:
        self.looks += 1
        if self.size < 0:
            raise psutil.NoSuchProcess(1)
        return SimpleNamespace(rss=self.size)

    def children(self, recursive: bool) -> list[Tree]:
        assert recursive
        return self.below


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, s, as the one number of a list."""
    now = [100.0]
    monkeypatch.setattr("pipeline.runtime.tree_memory.time.perf_counter", lambda: now[0])
    return now


def memory_of(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> TreeMemory:
    monkeypatch.setattr("pipeline.runtime.tree_memory.psutil.Process", lambda: tree)
    return TreeMemory()


def test_processes_below_are_counted_and_those_that_end_are_not(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert memory_of(Tree(5, [Tree(7), Tree(-1), Tree(11)]), monkeypatch).resident() == 23


def test_it_is_looked_at_once_a_second_at_most(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(5)
    memory = memory_of(tree, monkeypatch)
    for time in (100.0, 100.5, 100.9):
        clock[0] = time
        assert memory.resident() == 5
    assert tree.looks == 1
    tree.size, clock[0] = 6, 101.1
    assert memory.resident() == 6


def test_slow_looks_are_rarer(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(5)
    memory = memory_of(tree, monkeypatch)

    def slow(recursive: bool) -> list[Tree]:
        clock[0] += 0.1
        return []

    monkeypatch.setattr(tree, "children", slow)
    for _ in range(100):
        memory.resident()
        clock[0] += 1.0
    assert tree.looks <= 6


def test_this_process_holds_something() -> None:
    assert TreeMemory().resident() > 2**20
