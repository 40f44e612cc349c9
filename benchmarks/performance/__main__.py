"""How near the machine's ceilings a run is, beside other tools.

    python -m benchmarks.performance --out out/performance.json --page docs/performance.md
    python -m benchmarks.performance --raster scene.tif --model network.pt --peer-python .peers/bin/python
    python -m benchmarks.performance --tables out/performance.json --page docs/performance.md

Each round runs every way once, one after the other; figures are medians over the rounds. Run it on a machine that does
nothing else: what other programs took is in the last column. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rasterio

from benchmarks.performance import page, table
from benchmarks.performance.agreement import agreement
from benchmarks.performance.arguments import options_of, parse
from benchmarks.performance.machine import facts
from benchmarks.performance.peers.installed import installed as installed_in
from benchmarks.performance.prepare import described, prepared
from benchmarks.performance.setting import Options, Setting, Way
from benchmarks.performance.ways import ways
from pipeline.sources.samples import sample_raster


def main() -> None:
    """Measure, or take up what was measured; then print and write."""
    said = parse()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # what is under way ends with it
    if said.tables:
        documents = [json.loads(path.read_text()) for path in said.tables]
    else:
        with _folder(said.scratch) as folder:
            documents = [measured(said, options_of(said), folder)]
    text = "\n\n".join(table.tables(document) for document in documents)
    if said.page:
        page.put(said.page, text)
    print(text)


def measured(said: argparse.Namespace, options: Options, folder: Path) -> dict[str, Any]:
    """Round by round, everything once; what is known so far is in ``--out`` after each run."""
    raster = said.raster or sample_raster(f"sample://satellite?seed=7&size={said.size}")
    installed = {peer: installed_in(options.peer_python, peer) for peer in options.peers}
    document: dict[str, Any] = {
        "machine": facts(),
        "rounds": options.rounds,
        "raster": about(raster),
        "networks": {},
        "runs": [],
        "peers": {
            name: version
            for peer, found in installed.items()
            for name, version in (found or {}).items()
            if name == peer
        },
    }
    given = [(model.stem, model.resolve()) for model in said.model] or [(name, None) for name in said.networks]
    settings = [prepared(name, network, raster.resolve(), folder / name, options) for name, network in given]
    document["networks"] = {
        one.name: described(one, (document["raster"]["height"], document["raster"]["width"])) for one in settings
    }
    todo = [(setting, way) for setting in settings for way in ways(setting, installed)]
    for number in range(options.rounds):
        for setting, way in todo:
            if not gave_up(document, setting, way):
                document["runs"].append(run(setting, way, number, document))
                _save(said.out, document)
    return document


def about(raster: Path) -> dict[str, Any]:
    """Of the raster."""
    with rasterio.open(raster) as src:
        return {"height": src.height, "width": src.width, "bands": src.count, "dtype": src.dtypes[0]}


def gave_up(document: dict[str, Any], setting: Setting, way: Way) -> bool:
    """Whether it failed in an earlier round; it is not tried again."""
    return any(
        run["network"] == setting.name and run["way"] == way.name and run["status"] != "ok" for run in document["runs"]
    )


def run(setting: Setting, way: Way, number: int, document: dict[str, Any]) -> dict[str, Any]:
    """One run, and in the first round how its labels compare."""
    found = way.go(setting.options.limits)
    reference = document["networks"][setting.name]["reference"]
    judged = number == 0 and found.status == "ok" and way.mask is not None and reference.get("labels") is not None
    record = {
        "network": setting.name,
        "way": way.name,
        "group": way.group,
        "precision": way.precision,
        "round": number,
        **asdict(found),
    }
    print(
        f"round {number + 1}, {setting.name}: {way.name}: {found.status}, {found.wall:.1f} s, others "
        f"{found.others:.2f}",
        file=sys.stderr,
        flush=True,
    )
    return {**record, "agreement": agreement(way.mask, reference)} if judged and way.mask else record


def _save(out: Path | None, document: dict[str, Any]) -> None:
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document, indent=1))


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """For stores and masks: one that is given stays."""
    if given:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="performance-") as made:
        yield Path(made).resolve()


if __name__ == "__main__":
    main()
