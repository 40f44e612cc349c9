"""The Containerfile, as far as it can be looked at without an engine that builds it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTRUCTIONS = {"FROM", "ARG", "RUN", "ENV", "WORKDIR", "COPY", "USER", "ENTRYPOINT", "CMD"}


def parsed(text: str) -> list[tuple[str, str]]:
    """(instruction, what it says) of each line; comments and continuations are undone."""
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text)).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


@pytest.fixture(scope="module")
def lines() -> list[tuple[str, str]]:
    return parsed((ROOT / "Containerfile").read_text())


def said(lines: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for instruction, rest in lines if instruction == name]


def test_every_line_is_an_instruction_and_stages_are_named_before_they_are_used(lines: list[tuple[str, str]]) -> None:
    assert {name for name, _ in lines} <= INSTRUCTIONS
    stages = [re.fullmatch(r"(\S+)(?: AS (\S+))?", rest) for rest in said(lines, "FROM")]
    assert all(stages)
    named = {stage[2] for stage in stages if stage and stage[2]}
    assert set(re.findall(r"--from=(\S+)", " ".join(said(lines, "COPY")))) == named
    assert {stage[1] for stage in stages if stage} == {"python:3.11-slim-bookworm"}


def test_everything_that_is_copied_is_there_and_nothing_keeps_it_out(lines: list[tuple[str, str]]) -> None:
    copied = [source for rest in said(lines, "COPY") if "--from" not in rest for source in rest.split()[:-1]]
    assert {"pipeline", "pyproject.toml", "constraints.txt"} <= set(copied)
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == kept
    assert all((ROOT / source).exists() for source in copied)


def test_what_the_project_needs_to_be_installed_is_copied(lines: list[tuple[str, str]]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    copied = " ".join(said(lines, "COPY"))
    assert all(name in copied for name in (project["readme"], *project["license-files"]))
    extras = re.search(r"EXTRAS=(\S+)", " ".join(said(lines, "ARG")))
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])


def test_the_image_runs_our_command_and_not_as_root(lines: list[tuple[str, str]]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (entry,), (user,) = said(lines, "ENTRYPOINT"), said(lines, "USER")
    assert json.loads(entry)[0] in project["scripts"]
    manifests = "".join(path.read_text() for path in (ROOT / "workflows" / "kubernetes").glob("*.yaml"))
    assert user == "10001:10001"
    assert set(re.findall(r"runAs(?:User|Group): (\d+)", manifests)) == {"10001"}


def test_everything_is_installed_as_it_was_tested(lines: list[tuple[str, str]]) -> None:
    runs = [rest for rest in said(lines, "RUN") if "pip install" in rest]
    assert len(runs) == 2
    assert all("constraints.txt" in rest for rest in runs)
    assert len(re.findall(r"(?m)^torch==", (ROOT / "constraints.txt").read_text())) == 1
    assert "Python 3.11" in (ROOT / "constraints.txt").read_text().splitlines()[0]
