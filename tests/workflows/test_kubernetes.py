"""The manifests: valid by Kubernetes' own schemas, at one with the code and with each other, and their pods' commands
run one by one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import __version__, errors
from pipeline.config.load import load_config
from pipeline.store.status import status
from tests import networks, scenes
from tests.commands import wholecloth

FOLDER = Path(__file__).resolve().parents[2] / "workflows" / "kubernetes"
DOCUMENTS = [
    (path.name, document) for path in sorted(FOLDER.glob("*.yaml")) for document in yaml.safe_load_all(path.read_text())
]
JOBS = {document["metadata"]["name"]: document["spec"] for _, document in DOCUMENTS if document["kind"] == "Job"}


def container(name: str) -> dict[str, Any]:
    (only,) = JOBS[name]["template"]["spec"]["containers"]
    return dict(only)


def variables(name: str) -> dict[str, str]:
    return {row["name"]: row["value"] for row in container(name)["env"]}


@pytest.mark.parametrize(
    ("file", "document"), DOCUMENTS, ids=[f"{document['kind']} of {file}" for file, document in DOCUMENTS]
)
def test_a_manifest_keeps_to_the_schema(file: str, document: dict[str, Any]) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    assert kubernetes_validate.validate(document, "1.33", strict=True) == "1.33"


def test_a_manifest_that_does_not_is_seen() -> None:
    """The control of the test above."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {"apiVersion": "batch/v1", "kind": "Job", "spec": {"completionModes": "Indexed"}}, "1.33", strict=True
        )


def test_exit_codes_are_final_or_tried_again_as_they_mean() -> None:
    by_action = {
        name: {
            rule["action"]: set(rule.get("onExitCodes", {}).get("values", ()))
            for rule in spec["podFailurePolicy"]["rules"]
        }
        for name, spec in JOBS.items()
    }
    wrong, bug, unfinished = (
        {errors.InputError.exit_code, errors.PlanError.exit_code},
        errors.PipelineError.exit_code,
        errors.Unfinished.exit_code,
    )
    assert by_action["wholecloth"] == {
        "FailJob": wrong | {bug},
        "Ignore": set(),
        "Count": {errors.BlocksFailed.exit_code, unfinished},
    }
    assert by_action["wholecloth-finish"] == {
        "FailJob": wrong | {bug, unfinished, errors.CertificateError.exit_code},
        "Ignore": set(),
    }


def test_the_parts_of_the_manifests_name_each_other() -> None:
    named = {(document["kind"], document["metadata"]["name"]) for _, document in DOCUMENTS}
    for name, spec in JOBS.items():
        pod = spec["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in container(name)["volumeMounts"]} == set(volumes)
        assert ("PersistentVolumeClaim", volumes["scenes"]["persistentVolumeClaim"]["claimName"]) in named
        assert {
            rule["onExitCodes"]["containerName"] for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule
        } == {container(name)["name"]}
        assert container(name)["image"] == f"wholecloth:{__version__}"
        assert variables(name)["OMP_NUM_THREADS"] == container(name)["resources"]["requests"]["cpu"]
    assert variables("wholecloth")["WHOLECLOTH_SHARDS"] == str(JOBS["wholecloth"]["completions"])
    assert ("ConfigMap", "wholecloth") in named


def config(folder: Path) -> Path:
    """The config of the manifest, with its volumes where a test has them."""
    (said,) = (document["data"]["job.yaml"] for _, document in DOCUMENTS if document["kind"] == "ConfigMap")
    assert container("wholecloth")["args"][1] == "/config/job.yaml"
    (folder / "job.yaml").write_text(said.replace("/scenes/", f"{folder}/"))
    return folder / "job.yaml"


def test_the_config_of_the_manifest_is_valid_and_leads_to_the_store_that_is_finished(tmp_path: Path) -> None:
    store = load_config(config(tmp_path)).output.path
    assert container("wholecloth-finish")["args"][1].replace("/scenes/", f"{tmp_path}/") == str(store)


@pytest.mark.nightly("jobs")
@pytest.mark.slow
def test_the_pods_commands_make_a_whole_store(tmp_path: Path) -> None:
    scenes.scene(tmp_path / "country.tif")
    scenes.script(networks.lively(networks.UNet(classes=2)), tmp_path / "network.pt")
    path, shards = config(tmp_path), 3
    env = {**os.environ, **variables("wholecloth"), "OMP_NUM_THREADS": "1", "WHOLECLOTH_SHARDS": str(shards)}
    small = ["--set", "output.chunk=64", "--set", "output.block=128"]
    for index in range(shards):
        done = wholecloth(
            "run", path, *container("wholecloth")["args"][2:], *small, env={**env, "JOB_COMPLETION_INDEX": str(index)}
        )
        assert done.returncode == 0, done.stderr
    store = tmp_path / "out" / "country.zarr"
    assert not status(store).complete
    done = wholecloth("finish", store, env=env)
    assert done.returncode == 0, done.stderr
    assert status(store).complete
