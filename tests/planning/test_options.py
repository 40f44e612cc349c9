"""The table of options is complete, and every document of a job follows it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline.config import Config, InputConfig, ModelOutputConfig, TileConfig
from pipeline.config.load import load_config
from pipeline.planning import describe, fingerprint, freeze, option, options, plan_rows
from pipeline.planning.job import Job
from pipeline.planning.option import AUTO, NO_DEFAULT, Option
from pipeline.planning.options import FINGERPRINT_OPTIONS, OPTIONS
from pipeline.planning.options.dates import FIRST_STORES, FROZEN_PLANS
from pipeline.running.execute import prepare_job
from pipeline.sources.only.area import SourceAreas
from tests import scenes

NO_ROW = {
    "model.input.size": "tile.size is read from it",
    "model.output.key": "the identity of the network has it, as model.key",
    "model.output.multilabel": "model.output.activation names it",
    "output.path": "where a store lies changes none of its bytes",
    "output.pyramid": "adds levels; the root of a store counts them, and a frozen plan holds the count",
    "output.stac": "a file beside the store, made of what is in it",
    "output.exports": "files beside the store, made of what is in it",
    "output.postprocess": "makes the layer cleaned of the mask, under a fingerprint of its own",
    "output.picture": "a picture of the source beside the layers, which a store keeps as it was made",
    "output.report": "a page beside the store, made of what is in it",
    "output.redact": "names in what is written; where the source lies is a stand-in, and its pixels decide",
    "output.certificate": "is made from a store that is complete",
    "execution.engine": "decides who computes a block",
    "execution.workers": "decides how many blocks are in flight",
    "execution.processes": "decides who computes a block",
    "execution.slurm": "decides who computes a block",
    "execution.address": "decides who computes a block",
    "execution.patience": "decides when a run gives up",
    "execution.memory": "bounds the plan, of which the tiles are in the fingerprint",
    "execution.retries": "a window that is read again has the same pixels",
    "execution.read_timeout": "decides when a read has failed",
    "execution.stop_after": "decides when a run ends",
    "execution.dashboard": "shows what a scheduler does",
}
"""Fields of the config that have no row in the table, with the reason."""
OLD_DEFAULTS = {
    "tile.batch": 1,
    "tile.augment": "none",
    "tile.pad": "none",
    "tile.tolerance": None,
    "output.min_confidence": 0.0,
    "output.probabilities_dtype": "uint8",
    "output.probabilities_codes": None,
    "output.values_dtype": None,
    "output.values_scale": None,
    "output.values_offset": None,
    "execution.fold": False,
    "execution.compile": False,
    "execution.runtime": "torch",
    "execution.runtime_release": "",
    "model.input.transform": None,
    "model.input.normalise": None,
}
"""What stores were made with that lack the key: the code of their time knew nothing else, so that no value of this list
ever changes."""
IDENTITY = re.compile(r"(source|model)\.[a-z0-9_]+")
IMAGINARY = Option(
    key="output.imaginary",
    since="2030-01-01 00:00",
    explanation="what no release has",
    resolved=lambda job: True,
    requested=lambda job: True,
    frozen=lambda job: True,
    old_default=False,
    in_plan=True,
    sentence=lambda job: "is imaginary",
)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return prepare_job(load_config(scenes.config(tmp_path_factory.mktemp("options"))))


def fields(section: type[BaseModel], name: str) -> set[str]:
    return {f"{name}.{field}" for field in section.model_fields}


def config_fields() -> set[str]:
    """Fields of the sections that decide how a source and a network become a store."""
    sections = {name: Config.model_fields[name].annotation for name in ("tile", "output", "execution")}
    models: dict[str, Any] = {**sections, "model.input": InputConfig, "model.output": ModelOutputConfig}
    return {field for name, section in models.items() for field in fields(section, name)}


def test_every_field_of_the_config_has_a_row_or_a_reason() -> None:
    with_row = {row.config_field for row in OPTIONS}
    assert config_fields() - with_row == NO_ROW.keys(), (
        "a field of the config needs a row in the table, or a reason why it has none"
    )
    assert with_row - config_fields() == {"model.classes", "execution.memory_format"}, (
        "a row needs a field of the config"
    )


def test_a_key_has_one_row() -> None:
    keys = [row.key for row in OPTIONS]
    assert len(set(keys)) == len(keys)


def test_the_fingerprint_is_the_identity_and_the_rows_in_the_order_of_the_table(job: Job) -> None:
    identity = [key for key in job.fingerprint if key not in {row.key for row in OPTIONS}]
    assert list(job.fingerprint) == [*identity, *(row.key for row in FINGERPRINT_OPTIONS)]
    assert all(IDENTITY.fullmatch(key) for key in identity)
    assert list(fingerprint.input_identity(job.source, SourceAreas(), job.loaded)) == identity


def test_what_stores_lack_is_what_the_code_of_their_time_knew() -> None:
    assert {key: options.OLD_DEFAULTS[key] for key in OLD_DEFAULTS} == OLD_DEFAULTS
    identity = {
        key: value for key, value in fingerprint.DEFAULTS_OF_OLD_STORES.items() if key not in options.OLD_DEFAULTS
    }
    areas = {"source.aoi": None, "source.only": None, "source.tissue": None}
    assert identity == {**areas, "source.as": [], "source.warp": None, "model.revision": 1}


def test_a_recipe_of_an_old_store_is_completed_and_of_a_new_one_is_not() -> None:
    old = options.recipe_of_store({"precision": "float32"})
    assert (old["precision"], old["fold"], old["compile"]) == ("float32", False, False)
    assert options.recipe_of_store({"fold": True})["fold"] is True


def test_an_option_that_is_younger_than_the_first_stores_has_a_default_for_them_and_no_other() -> None:
    for row in OPTIONS:
        assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d", row.since)
        assert row.since >= FIRST_STORES
        assert (row.since > FIRST_STORES) == (row.old_default is not NO_DEFAULT), row.key


def test_a_config_that_names_no_option_goes_on_with_the_oldest_store(job: Job) -> None:
    oldest = {key: value for key, value in job.fingerprint.items() if key not in options.OLD_DEFAULTS}
    identity = fingerprint.input_identity(job.source, SourceAreas(), job.network)
    assert fingerprint.differing(oldest, fingerprint.requested_fingerprint(identity, job.resolved)) == []
    decided = fingerprint.differing(oldest, job.fingerprint)  # what was decided since counts
    recipe = job.task.recipe
    expected = {"execution.fold": recipe.fold, "execution.crop": recipe.crop}
    assert decided == [key for key, done in expected.items() if done]


def test_a_message_names_sizes_before_halos_and_layers(job: Job) -> None:
    tile = TileConfig(size=96, halo=32, overlap=0, taper="flat", augment="flips")
    config = job.config.model_copy(update={"tile": tile})
    requested = option.requested_values(FINGERPRINT_OPTIONS, replace(job.resolved, config=config))
    order = [
        "model.input.scale",
        "model.input.offset",
        "model.input.mean",
        "model.input.std",
        "model.input.transform",
        "model.output.activation",
        "model.output.threshold",
        "model.classes.codes",
        "tile.size",
        "tile.step",
        "tile.taper",
        "tile.blend",
        "tile.augment",
        "tile.pad",
        "output.block",
        "output.chunk",
        "output.zarr_format",
        "execution.compile",
        "tile.halo",
        "output.layers",
        "output.min_confidence",
        "output.probabilities_dtype",
        "output.probabilities_codes",
    ]
    assert [key for key in requested if key in order] == order
    assert {row.request_rank for row in OPTIONS if row.config_field == "tile.halo"} == {1}


def test_auto_insists_on_nothing(job: Job) -> None:
    requested = option.requested_values(OPTIONS, job.resolved)
    assert AUTO not in requested.values()
    assert {
        "tile.size",
        "tile.halo",
        "tile.exact",
        "tile.tolerance",
        "tile.step",
        "tile.taper",
        "execution.precision",
        "execution.fold",
    }.isdisjoint(requested)
    assert (requested["output.block"], requested["output.chunk"]) == (128, 64)


@pytest.mark.parametrize(
    ("fold", "store", "frozen"),
    [
        ("auto", {}, {}),
        (True, {}, {"execution.fold": True}),
        (False, {"execution.fold": False}, {"execution.fold": False}),
    ],
)
def test_folding_that_is_asked_for_takes_any_store_and_no_frozen_plan_without(
    job: Job, fold: Any, store: Any, frozen: Any
) -> None:
    execution = job.config.execution.model_copy(update={"fold": fold})
    resolved = replace(job.resolved, config=job.config.model_copy(update={"execution": execution}))
    requested = option.requested_values(OPTIONS, resolved)
    assert {key: value for key, value in requested.items() if key == "execution.fold"} == store
    assert option.locked_values(OPTIONS, resolved) == frozen


def test_a_frozen_plan_of_the_first_release_that_freezes_holds_these_parts_of_the_recipe() -> None:
    assert {row.name for row in options.RECIPE_OPTIONS if row.since <= FROZEN_PLANS} == {
        "precision",
        "threads",
        "memory_format",
        "fold",
    }


def test_the_head_of_a_frozen_plan_names_what_is_fixed_of_execution() -> None:
    assert options.frozen_fields("execution") == ["device", "precision", "fold", "crop", "compile", "runtime"]


@pytest.fixture
def imaginary(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with one more row."""
    for module in (describe, freeze, plan_rows):
        monkeypatch.setattr(module, "OPTIONS", (*OPTIONS, IMAGINARY))
    monkeypatch.setattr(fingerprint, "FINGERPRINT_OPTIONS", (*FINGERPRINT_OPTIONS, IMAGINARY))


@pytest.mark.usefixtures("imaginary")
def test_a_row_is_all_that_the_documents_need(job: Job) -> None:
    assert list(fingerprint.resolved_fingerprint({}, job.resolved).items())[-1] == ("output.imaginary", True)
    assert fingerprint.requested_fingerprint({}, job.resolved)["output.imaginary"] is True
    assert freeze.document(job)["output"]["imaginary"] is True
    assert describe.describe(job)["imaginary"] is True
    assert ("output", "is imaginary") in plan_rows.plan_rows(job)


@pytest.mark.usefixtures("imaginary")
def test_a_row_without_readers_stays_out_of_the_other_documents(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = replace(IMAGINARY, frozen=None, in_plan=False, sentence=None)
    for module in (describe, freeze, plan_rows):
        monkeypatch.setattr(module, "OPTIONS", (*OPTIONS, bare))
    assert "imaginary" not in freeze.document(job)["output"]
    assert "imaginary" not in describe.describe(job)
    assert ("output", "is imaginary") not in plan_rows.plan_rows(job)
