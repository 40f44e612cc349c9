"""The commands; errors become exit codes, and heavy libraries are imported only by the command that needs them."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.errors import ConfigError, PipelineError, Unfinished

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, no_args_is_help=True, help=__doc__)

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file of the job.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Override a value of the config; may be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_received: list[int] = []
"""Signals that asked the run to stop."""


def main() -> None:
    """Entry of ``wholecloth`` and ``python -m pipeline``."""
    try:
        code = app(standalone_mode=False)
        if code == 130:  # typer's word for Ctrl-C
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        code = _interrupted()
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        code = _interrupted() if isinstance(error, Unfinished) and signal.SIGINT in _received else _say(*_explain(error))
    _leave(code or 0)


def _leave(code: int) -> None:
    """End the process. One that was told to stop does not wait for the thread that measures or infers: all that matters is closed or will be swept."""
    if code in (130, 75):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _interrupted() -> int:
    return _say("Stopped. Everything committed is kept; run the same command again to go on.", 130)


def _explain(error: Exception) -> tuple[str, int]:
    """One paragraph and an exit code."""
    if isinstance(error, PipelineError):
        return str(error), error.exit_code
    if hasattr(error, "format_message"):  # what was typed is no command of ours, in typer's words
        return f"{error.format_message()} See wholecloth --help.", 2
    said = f"{type(error).__name__}: {error}"
    return f"A bug of ours: {said}. Run again with --debug to see where, and report it; what is committed is kept.", 70


def _say(message: str, code: int) -> int:
    print(" ".join(message.split()), file=sys.stderr)
    return code


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Segmentation of images too large for memory."""


@app.command()
def run(
    config: ConfigPath,
    overrides: Overrides = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the store first, if it is one of ours.")] = False,
    profile: Annotated[Path | None, typer.Option("--profile", metavar="FILE", help="Write a trace of all blocks, for Perfetto or speedscope.")] = None,
) -> None:
    """Run a job; a job that was stopped goes on where it was."""
    from pipeline.load_config import load

    said = load(config, overrides or [])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    from pipeline.plan.memory import human
    from pipeline.progress import Progress
    from pipeline.run import execute, prepare
    from pipeline.timing.stalls import words
    from pipeline.timing.trace import recorded

    with recorded(profile) as trace:
        job = prepare(said, fresh)
        with Progress() as progress:
            report = execute(job, progress, fresh, trace)
    print(
        f"{report.blocks} blocks ({report.resumed} before this run, {report.empty} without a valid pixel), {report.speed:.2f} Mpx/s in {report.seconds:.1f} s"
    )
    if report.device is not None:
        print(f"device: {words(report.device, parts=job.task.device == 'cpu')}")
    print(f"memory: {human(report.peak_memory)} at the peak, {human(report.projected_memory)} projected; {job.plan.tiles.why}")
    if report.certificate is not None:
        print(f"certificate: {report.certificate['why']}")
    for name, path in report.files.items():
        print(f"{name}: {path}")
    if trace is not None:
        print(f"profile: {trace.words}")


@app.command()
def plan(config: ConfigPath, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Print everything that `run` would decide, without running."""
    from dataclasses import asdict

    from pipeline.describe import describe, lines
    from pipeline.inspection.saving import saving
    from pipeline.job import prepare
    from pipeline.load_config import load

    job = prepare(load(config, overrides or []))
    saves = saving(job)
    _print([*lines(job), *([("saving", str(saves))] if saves else [])], {**describe(job), "saving": asdict(saves) if saves else None} if as_json else None)


@app.command()
def inspect(
    config: ConfigPath,
    overrides: Overrides = None,
    as_json: AsJson = False,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Draw the halo profile.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the places of the raster that are looked at.")] = 0,
) -> None:
    """Explain the network: costs, stride, radius, verdict, layers to blame, and what each halo would leave and cost."""
    from pipeline.inspection.findings import find
    from pipeline.inspection.picture import draw
    from pipeline.inspection.words import rows
    from pipeline.job import prepare
    from pipeline.load_config import load

    job = prepare(load(config, overrides or []), fresh=True)
    found = find(job, seed)
    said = rows(found)
    if png is not None:
        said.append(("picture", str(draw(found, png, f"{config.stem}: {found.locality.verdict}, stride {found.locality.stride} px"))))
    _print(said, found.as_dict() if as_json else None)


@app.command()
def init(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="File with the weights or the whole network.")],
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="Path or URL of a raster.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead of printing it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    factory: Annotated[str | None, typer.Option("--factory", metavar="FILE.py:NAME", help="What builds the network of a file of weights.")] = None,
) -> None:
    """Write a first config for a network and a scene, by looking at both."""
    if out is not None and out.exists() and not force:
        raise ConfigError(f"--out is {out}, which exists and was left as it is. Give another file, or --force to overwrite it.")
    from pipeline.suggest import suggest

    made = suggest(model, scene, (out.parent if out is not None else Path.cwd()).resolve(), factory)
    if out is None:
        print(made.text, end="")
    else:
        try:
            out.write_text(made.text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--out is {out}, which cannot be written: {error.strerror}. Give a file in a folder that is there.") from error
        print(f"config: {out}")
    for words in made.todo:
        print(f"To add: {words}.", file=sys.stderr)


@app.command()
def status(store: Annotated[Path, typer.Argument(metavar="STORE")], as_json: AsJson = False) -> None:
    """Print how far a store is, also while a run is at work on it."""
    from dataclasses import asdict

    from pipeline.store.status import status as read

    found = read(store)
    state = "complete" if found.complete else "unfinished"
    rows = [("store", f"{store}, {state}"), ("committed", f"{found.committed} of {found.blocks} blocks"), ("failed", str(len(found.failures)))]
    rows += [("", f"block {block}: {why}") for block, why in found.failures.items()]
    if found.certificate is not None:
        rows.append(("certificate", f"{'passed' if found.certificate['passed'] else 'FAILED'}, {found.certificate['why']}"))
    _print(rows, asdict(found) if as_json else None)


@app.command()
def verify(
    store: Annotated[Path, typer.Argument(metavar="STORE")],
    windows: Annotated[int, typer.Option(min=0, help="Seams that are looked at, and as many places far from them; with as many as blocks, every block.")] = 16,
    seed: Annotated[int, typer.Option(help="Of the draw of windows.")] = 0,
    tolerance: Annotated[float | None, typer.Option(min=0.0, help="Largest error at seams, in standard deviations of the logits.")] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Prove a store: every chunk is read, and seams are inferred again with wider halos; writes the certificate."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    from pipeline.progress import Progress
    from pipeline.verification import certificate
    from pipeline.verification.verify import job_of
    from pipeline.verification.verify import verify as look

    job = job_of(store, overrides or [])
    with Progress() as progress:
        made = look(job, progress.say, windows=windows, seed=seed, tolerance=tolerance)
    written = certificate.publish(store, made)
    _print([*certificate.lines(store, made), ("report", str(written))], made if as_json else None)
    certificate.demand(store, made)


@app.command()
def train(
    config: ConfigPath,
    overrides: Overrides = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, replacing what was trained before.")] = False,
) -> None:
    """Train a network; a training that was stopped goes on where it was."""
    from pipeline.load_config import load

    said = load(config, overrides or [])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    from pipeline.progress import Progress
    from pipeline.training.train import train as learn

    with Progress() as progress:
        made = learn(said, progress.say, fresh)
    if made.files:
        print(f"mean IoU {made.mean_iou:.4f} of the held-out blocks after round {made.best} of {made.rounds}")
    for name, path in made.files.items():
        print(f"{name}: {path}")


@app.command()
def evaluate(
    store: Annotated[Path, typer.Argument(metavar="STORE")],
    labels: Annotated[str, typer.Option("--labels", metavar="FILE", help="Raster of class codes, polygons, or sample://NAME.")],
    attribute: Annotated[str | None, typer.Option(help="Field of the polygons that holds the class.")] = None,
    burn: Annotated[str | None, typer.Option(metavar="CLASS", help="Class that all polygons mean.")] = None,
    layer: Annotated[str | None, typer.Option(help="Layer, of a file that has several.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="CODE", help="Value of the labels that says nothing; may be repeated.")] = None,
    values: Annotated[str | None, typer.Option(metavar="VALUE=CLASS,…", help="What each value of the labels means.")] = None,
    level: Annotated[int, typer.Option(min=0, help="0 is the full resolution.")] = 0,
    boundary: Annotated[int, typer.Option(metavar="PX", help="Distance at which boundaries still match, 0 to 256.")] = 2,
    area: Annotated[str | None, typer.Option(metavar="ROW,COL,HEIGHT,WIDTH", help="Judge a part only, px of the level.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Judge the committed blocks of a store that is unfinished.")] = False,
    as_json: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write all numbers; - for stdout.")] = None,
    png: Annotated[Path | None, typer.Option(help="Draw the confusion matrix and the classes.")] = None,
) -> None:
    """Compare the mask of a store with labels."""
    from pipeline.evaluation.evaluate import evaluate as judge
    from pipeline.evaluation.limit import limited
    from pipeline.evaluation.tell import area_of, tell
    from pipeline.labels import open_labels
    from pipeline.labels.typed import ignored, values_of
    from pipeline.store.opened import open_store

    opened = open_store(store, level)
    known = open_labels(
        labels, opened.grid, opened.classes, values=values_of(values), ignore=ignored(ignore), attribute=attribute, burn=burn, layer=layer
    )  # fmt: skip
    found = judge(opened, limited(known, opened), tolerance=boundary, area=area_of(area, opened.grid), partial=partial)
    tell(found, opened, labels, as_json, png)


@app.command()
def sample(
    name: Annotated[str, typer.Argument(metavar="NAME", help="satellite or ihc; with ?seed=3&size=2048 another one.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the raster and its labels are written.")],
) -> None:
    """Write a sample raster and its labels."""
    from pipeline.samples import materialise

    made = materialise(name, folder)
    print(f"raster: {made.raster}\nlabels: {made.labels}")


@app.command()
def schema() -> None:
    """Print the JSON schema of the config."""
    import json

    from pipeline.load_config import schema as read

    print(json.dumps(read(), indent=2))


def _print(rows: list[tuple[str, str]], document: object | None) -> None:
    import json

    if document is not None:
        print(json.dumps(document, indent=2, default=str))
        return
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")


def _stop(number: int, frame: FrameType | None) -> None:
    """Stop at once; and, where Python swallows what is raised (inside a finaliser it does), at the next tile."""
    _received.append(number)
    inference = sys.modules.get("pipeline.stages.infer")
    if inference is not None:
        inference.STOP.set()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Unfinished("Stopped by SIGTERM. Everything committed is kept; run the same command again to go on.")
