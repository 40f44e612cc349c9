"""Jobs on planted sources, commands on them, and where a name stands afterwards."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest
import rasterio
import yaml
from PIL import Image
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import PipelineError
from pipeline.privacy import concealed
from tests import scenes
from tests.privacy import planted
from tests.privacy.forget import forget


class Commands:
    """Commands in this process, and what each said on stdout and stderr."""

    def __init__(self) -> None:
        self.said: dict[str, bytes] = {}

    def __call__(self, name: str, *args: object, fails: str = "") -> None:
        forget()  # each command is a process of its own
        errors = io.StringIO()
        with redirect_stderr(errors):
            done = CliRunner().invoke(app, [name, *map(str, args)])
        if fails:
            assert isinstance(done.exception, PipelineError), done
            assert fails in str(done.exception)
        elif done.exception is not None:
            raise done.exception
        text = f"{done.output}{done.stderr}{errors.getvalue()}{concealed.safe_text(str(done.exception or ''))}"
        self.said[f"said by {name}"] = self.said.get(f"said by {name}", b"") + text.encode()


def job(folder: Path, source: Path, redact: bool, **output: Any) -> Path:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    model = {"input": {"mean": 128, "std": 60}}
    path = scenes.config(work, model=model, output={"redact": redact, "report": True, **output})
    document = yaml.safe_load(path.read_text())
    document["source"]["path"] = str(source)
    (work / "scene.tif").unlink()
    path.write_text(yaml.safe_dump(document))
    return path


def every_command(commands: Commands, config: Path, source: Path, labels: Path, redact: bool) -> None:
    """Each command that writes or says anything of a job, but for trainings; with `redact` those that need it are told
    the source."""
    work = config.parent
    named = ("--source", source) if redact else ()
    commands("plan", config, "--freeze", work / "plan.yaml")
    commands("run", config, "--log-format", "json", "--profile", work / "trace.json")
    commands("run", config)
    commands("run", config, "--shard", "1/1", "--out", work / "shards.zarr")
    commands("finish", work / "shards.zarr")
    commands("verify", work / "job.zarr", "--windows", "1", *named)
    commands("preview", config, "--size", "64")
    pages = ("--json", work / "evaluation.json", "--html", work / "evaluation.html", "--png", work / "evaluation.png")
    commands("evaluate", work / "job.zarr", "--labels", labels, *pages)
    commands("stats", work / "job.zarr")
    commands("status", work / "job.zarr", "--json")
    look(work, commands.said)


def plant(folder: Path, maker: str) -> Path:
    place = folder / planted.IN_PATH
    place.mkdir()
    return planted.MAKERS[maker](place / f"{planted.IN_PATH}_01.tif")


def places_of(name: str, work: Path, said: dict[str, bytes]) -> set[str]:
    """Files, and answers of commands, that hold a name in any case or encoding that is in use."""
    files = {str(file.relative_to(work)): contents(file) for file in work.rglob("*") if file.is_file()}
    del files["job.yaml"], files["unet.pt"]
    variants = [name.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]
    return {place for place, data in {**files, **said}.items() if any(part in data.lower() for part in variants)}


def contents(file: Path) -> bytes:
    """Bytes of a file, and what lies compressed in it."""
    data = file.read_bytes()
    if file.suffix == ".png":
        data += str(Image.open(file).info).encode()
    elif file.suffix == ".parquet":
        data += str(pytest.importorskip("pyarrow.parquet").read_table(file).to_pydict()).encode()
    elif file.suffix == ".tif":
        with rasterio.open(file) as image:
            data += str([image.tags(ns=space) for space in (None, *image.tag_namespaces())]).encode()
    return data


def look(work: Path, said: dict[str, bytes]) -> None:
    """Ask the page of a store for all that it tells."""
    from tests.viewer.client import open_page

    client = open_page(work / "job.zarr")
    answers = ["/", "/api/scene", "/api/progress", "/api/areas", "/api/limits", "/api/at?row=5&col=5"]
    said["said by view"] = b"".join(client.get(url).content for url in answers)
