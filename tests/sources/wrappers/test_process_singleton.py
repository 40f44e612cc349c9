from __future__ import annotations

import gc
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.config import SourceConfig
from pipeline.geometry.window import Window
from pipeline.sources import open_source
from pipeline.sources.wrappers import process_singleton
from tests import scenes


def opened(folder: Path) -> object:
    return open_source(SourceConfig(path=str(scenes.write(folder / "a.tif", scenes.position(20, 20)))))


def test_what_comes_back_by_pickle_is_what_is_there_already(tmp_path: Path) -> None:
    source = opened(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        assert all(again is source for again in pool.map(pickle.loads, [pickle.dumps(source)] * 20))


def test_where_it_is_not_there_it_is_made_once_and_stays_for_the_next_task(tmp_path: Path) -> None:
    source = opened(tmp_path)
    said, name = pickle.dumps(source), source.name  # type: ignore[attr-defined]
    process_singleton._by_name.pop(name)  # as in another process
    first = pickle.loads(said)
    assert first is not source
    assert first == source
    assert (first.read(Window(row=0, col=0, height=4, width=4)).data == scenes.position(4, 4)).all()
    there = id(first)
    del first
    assert id(pickle.loads(said)) == there
    process_singleton._recent.clear()
    gc.collect()
    assert name not in process_singleton._by_name


def test_two_jobs_of_one_file_have_sources_of_their_own(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    assert pickle.loads(pickle.dumps(first)) is first
    assert pickle.loads(pickle.dumps(second)) is second is not first
