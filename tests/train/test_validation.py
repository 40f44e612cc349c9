from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config.load import load_config
from pipeline.models.weights import save
from pipeline.quality.evaluate.evaluate import evaluate
from pipeline.quality.labels import open_labels
from pipeline.running.execute import execute
from pipeline.running.execute import prepare_job as prepare_run
from pipeline.runtime.progress import Progress
from pipeline.store.reader import open_store
from pipeline.train.prepare import prepare_training
from pipeline.train.validation import plan_validation


@pytest.mark.slow
def test_the_held_out_blocks_are_counted_as_run_and_evaluate_count_them(
    job: Callable[..., Path], tmp_path: Path
) -> None:
    config = job()
    said = load_config(config)
    made = prepare_training(said, lambda line: None)
    weights = tmp_path / "net.safetensors"
    save(weights, made.network, made.meta)
    every = replace(
        made.validation_counts, places=(*made.validation_counts.places, *made.windows.sampler.class_counts.places)
    )
    judge = plan_validation(said, made.model.model_copy(update={"path": weights}), every, made.table, tmp_path, 1)
    made.network.eval()
    found = sum(judge.judge(made.network, number, torch.device("cpu")).counts for number in range(len(judge.blocks)))
    with Progress() as progress:
        execute(prepare_run(load_config(config, [f"model.path={weights}"])), progress)
    store = open_store(said.output.path)
    labels = open_labels(str(tmp_path / "labels.tif"), store.grid, store.classes)
    np.testing.assert_array_equal(found, evaluate(store, labels).confusion.counts)
    assert found[:, :2].sum() == 160 * 200 - 20 * 30
