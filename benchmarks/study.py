"""Train several networks alike and judge each on scenes that none has seen, by the public commands.

    python benchmarks/study.py benchmarks/studies/satellite.yaml OUT [--jobs 2] [--set training.rounds=2 …]

A study names a config of training, its seeds, what the networks differ in, and the scenes that judge. Every network is
trained once per seed by `train`, run by `run` and judged by `evaluate`; what is there already is not done again, so a
study that was stopped goes on. Each job gets an equal part of the cores. Prints a Markdown table: IoU from the
confusion matrices of all judging scenes together, mean ± standard deviation over the seeds. ``${VAR}`` in a study is
taken from the environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Annotated, Any

import numpy as np
import typer
import yaml

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def main(
    study: Path,
    out: Path,
    jobs: Annotated[int, typer.Option(help="Networks trained side by side.")] = 1,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="For every training.")] = None,
) -> None:
    """Run a study and print its table."""
    said = yaml.safe_load(os.path.expandvars(study.read_text()))
    free: Queue[list[int]] = Queue()
    for job in range(jobs):
        free.put(CORES[job * len(CORES) // jobs : (job + 1) * len(CORES) // jobs])

    def work(seed: int) -> list[dict[str, Any]]:
        cores = free.get()  # the networks of one seed follow each other, since one may start from another
        try:
            return [one(said, study.parent, name, seed, out, overrides or [], cores) for name in said["networks"]]
        finally:
            free.put(cores)

    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(work, said["seeds"]))
    print(table(list(said["networks"]), found))


def one(
    said: dict[str, Any], folder: Path, name: str, seed: int, out: Path, overrides: list[str], cores: list[int]
) -> dict[str, Any]:
    """Train one network and judge it."""
    config, weights = folder / said["config"], path(out, name, seed)
    changes = {"model.path": str(weights), "training.seed": seed, **said.get("common", {}), **said["networks"][name]}
    if "training.start" in changes:
        changes["training.start"] = str(path(out, changes["training.start"], seed))
    settings = [f"--set={key}={json.dumps(value)}" for key, value in changes.items()] + [
        f"--set={given}" for given in overrides
    ]
    call(["train", str(config), *settings], cores)
    judged = [
        judge(config, settings, scene, weights.with_suffix(f".{number}.zarr"), cores)
        for number, scene in enumerate(said["judges"])
    ]
    plan = json.loads(call(["inspect", str(config), *settings, "--json"], cores)) if seed == said["seeds"][0] else {}
    counts = np.sum([scene["confusion"]["counts"] for scene in judged], axis=0)
    classes = [row["name"] for row in judged[0]["classes"]]
    return {
        "counts": counts,
        "classes": classes,
        "parameters": plan.get("parameters"),
        "flops": plan.get("flops_per_pixel"),
    }


def judge(config: Path, settings: list[str], scene: dict[str, Any], store: Path, cores: list[int]) -> dict[str, Any]:
    """What `evaluate` says of one scene."""
    call(
        ["run", str(config), *settings, f"--set=source.path={json.dumps(scene['path'])}", f"--set=output.path={store}"],
        cores,
    )
    said: dict[str, Any] = json.loads(
        call(["evaluate", str(store), "--labels", scene["labels"], *scene.get("options", []), "--json", "-"], cores)
    )
    return said


def path(out: Path, name: str, seed: int) -> Path:
    """Where the weights of a network and a seed are."""
    return (out / f"{name.replace(' ', '_').replace(',', '')}-{seed}.safetensors").absolute()


def call(arguments: list[str], cores: list[int]) -> str:
    """One public command on some of the cores; its words are shown if it fails."""
    bound = ["taskset", "-c", ",".join(map(str, cores))] if cores else []
    done = subprocess.run(
        [*bound, sys.executable, "-m", "pipeline", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def table(names: list[str], found: list[list[dict[str, Any]]]) -> str:
    """One row per network."""
    heads = ["network", "parameters", "FLOPs per px", "mean IoU", "of each seed", "accuracy", *found[0][0]["classes"]]
    rows = [row(name, [seed[k] for seed in found]) for k, name in enumerate(names)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def row(name: str, seeds: list[dict[str, Any]]) -> list[str]:
    """What the seeds of one network say."""
    iou = np.array([per_class(seed["counts"]) for seed in seeds])
    means = np.nanmean(iou, 1)
    right = np.mean([np.trace(seed["counts"]) / seed["counts"].sum() for seed in seeds])
    size = [f"{seeds[0]['parameters']:,}", f"{seeds[0]['flops']:,.0f}"]
    spread = [f"**{means.mean():.3f}** ± {means.std(ddof=1):.3f}", " ".join(f"{mean:.3f}" for mean in means)]
    return [name, *size, *spread, f"{right:.3f}", *(f"{value:.3f}" for value in np.nanmean(iou, 0))]


def per_class(counts: np.ndarray) -> np.ndarray:
    """IoU of a confusion matrix whose last column counts pixels without a prediction."""
    hits = np.diag(counts[:, :-1])
    return np.asarray(hits / (counts.sum(1) + counts[:, :-1].sum(0) - hits))


if __name__ == "__main__":
    typer.run(main)
