"""What a command says at its end: what was made, where, and how to look at it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.cli.look import look_line
from tests import scenes


def command(*args: object) -> Result:
    """A command in this process; its signals and its end are not those of a process."""
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    assert result.exit_code == 0, f"{result.output} {result.exception}"
    return result


def test_a_store_is_looked_at_by_view_where_it_can_run_and_else_on_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"store": "out/my scene.zarr", "page": "out/my scene.report.html"}
    assert shlex.split(look_line(files)) == ["look:", "wholecloth", "view", "out/my scene.zarr"]
    monkeypatch.setattr("pipeline.cli.look.VIEW_PACKAGES", ("starlette", "absent_package"))
    assert look_line(files) == "look: out/my scene.report.html"
    assert look_line({"store": "a.zarr"}) == "look: wholecloth stats a.zarr"


@pytest.mark.slow
def test_commands_say_how_to_look_at_what_they_made_and_quiet_ones_say_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("run", "finish", "export", "apply"):
        monkeypatch.setattr(f"pipeline.cli.{module}.install_signal_handlers", lambda: None)
    scenes.scene(tmp_path / "scene.tif", 100, 120)
    path, store = scenes.config(tmp_path), tmp_path / "job.zarr"
    loud = command("run", path)
    assert f"store: {store}" in loud.stdout
    last = shlex.split(loud.stdout.splitlines()[-1])
    assert last == ["look:", "wholecloth", "view", str(store)]
    assert "blocks" in command("finish", store).stdout
    (steps := tmp_path / "steps.yaml").write_text("- {sieve: 4 px}\n")
    quiet = [
        command("run", path, "--quiet"),
        command("finish", store, "--quiet"),
        command("apply", store, "--postprocess", steps, "--quiet"),
        command("export", store, "--to", "png", "--quiet"),
        command("verify", store, "--windows", 0, "--quiet"),
    ]
    assert [done.output for done in quiet] == [""] * len(quiet)
    assert json.loads(command("verify", store, "--windows", 0, "--quiet", "--json").stdout)["passed"]
