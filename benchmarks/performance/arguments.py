"""The command line."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from benchmarks.performance.setting import Options
from benchmarks.performance.watch import Limits

GIB = 2**30
NETWORKS = ("unet", "fcn8s", "dense", "light")
VARIANTS = ("tolerance", "bfloat16", "openvino")
PEERS = ("dask", "monai")
MODES = ("gaussian", "constant")
SMALL_SIZE = 512


def _installed() -> list[str]:
    """The variants that run here: OpenVINO is an extra."""
    return [name for name in VARIANTS if name != "openvino" or find_spec(name) is not None]


def parse() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.performance",
        description="How near the machine's ceilings a run is, beside other tools.",
    )
    parser.add_argument(
        "--networks", nargs="*", choices=NETWORKS, default=NETWORKS, help="of ours, made for the raster"
    )
    parser.add_argument("--size", type=int, default=8192, help="side of our own raster, px, a multiple of 32")
    parser.add_argument("--raster", type=Path, help="one of yours instead")
    parser.add_argument(
        "--model",
        type=Path,
        nargs="*",
        default=[],
        help="TorchScript files of yours that take its raw pixels, instead of our networks",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--variants", nargs="*", choices=VARIANTS, default=_installed(), help="of our runs, beside exact"
    )
    parser.add_argument(
        "--forwards",
        choices=("all", "best"),
        default="all",
        help="ceilings of the network: all ways, or only what has always been fastest",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=1e-3,
        help="of the run with a halo by tolerance, standard deviations of the logits",
    )
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument(
        "--monai-modes",
        nargs="*",
        choices=MODES,
        default=MODES,
        help="weights by which MONAI averages where windows overlap",
    )
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter of an environment that has them")
    parser.add_argument(
        "--memory-limit",
        type=float,
        default=psutil.virtual_memory().total / GIB * 0.8,
        help="GiB at which a run is stopped",
    )
    parser.add_argument("--time-limit", type=float, default=1800, help="seconds after which a run is stopped")
    parser.add_argument(
        "--scratch", type=Path, help="folder for stores and masks, which then stay; a temporary one by default"
    )
    parser.add_argument("--out", type=Path, help="JSON of every run")
    parser.add_argument("--page", type=Path, help="Markdown page to put the tables into, between its marks")
    parser.add_argument(
        "--tables",
        type=Path,
        nargs="+",
        metavar="JSON",
        help="measure nothing; tables of what --out wrote, one after the other",
    )
    parser.add_argument(
        "--small", action="store_true", help="tiny networks and raster, one round: shows that everything goes through"
    )
    said = parser.parse_args()
    if said.small:
        said.size, said.rounds = SMALL_SIZE, 1
    return said


def options_of(said: argparse.Namespace) -> Options:
    """The options that all settings share."""
    small: dict[str, Any] = (
        {"sides": (256,), "seconds": 0.01, "narrower": 4, "tile": 384, "window": 128, "chunk": 256}
        if said.small
        else {}
    )
    return Options(
        rounds=said.rounds,
        limits=Limits(memory=int(said.memory_limit * GIB), seconds=said.time_limit),
        variants=tuple(said.variants),
        forwards=said.forwards,
        modes=tuple(said.monai_modes),
        tolerance=said.tolerance,
        peers=tuple(said.peers),
        peer_python=said.peer_python,
        **small,
    )
