"""A process lets go of the networks of jobs that are over."""

from __future__ import annotations

from pathlib import Path

from pipeline.inference import opened_networks


def test_networks_of_the_last_jobs_are_kept_and_no_others() -> None:
    opened = dict[Path, str]()
    for name in ("a", "b", "a", "c", "c"):
        opened_networks._keep(opened, Path(name), f"network of {name}")
    assert opened == {Path("a"): "network of a", Path("c"): "network of c"}
