"""All ways to go over one raster with one network: the ceilings, ours, and the peers."""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.performance.peers.installed import NEEDS
from benchmarks.performance.setting import Setting, Way

KEPT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**28),
}
"""Makes glibc keep what is freed, in a process that does not say so itself."""
FORWARD: dict[str, dict[str, Any]] = {
    "forward, as it is": {"keep": False, "channels_last": False},
    "forward, channels_last": {"keep": False, "channels_last": True},
    "forward, memory kept": {"keep": True, "channels_last": False},
    "forward, channels_last, memory kept": {"keep": True, "channels_last": True},
    "forward, channels_last, memory kept, a tile per core": {"keep": True, "channels_last": True, "streams": True},
    "forward, channels_last, memory kept, bfloat16": {"keep": True, "channels_last": True, "precision": "bfloat16"},
    "forward, channels_last, memory kept, a tile per core, bfloat16": {
        "keep": True,
        "channels_last": True,
        "streams": True,
        "precision": "bfloat16",
    },
}


def ways(setting: Setting, installed: dict[str, dict[str, str] | None]) -> list[Way]:
    """Everything that is run in a round.

    Ours first, since the mask of the exact run is what the writing is tried with.
    """
    return [*ours(setting), *ceilings(setting), *peers(setting, installed)]


def variants(setting: Setting) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """``tile`` and ``execution`` of our runs, by name."""
    # no halo is exact where the radius has no bound: auto blends
    exact = {} if setting.radius is None else {"halo": "exact"}
    known: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "exact": (exact, {"precision": "float32"}),
        "tolerance": ({"halo": {"tolerance": setting.options.tolerance}}, {"precision": "float32"}),
        "bfloat16": (exact, {"precision": "bfloat16"}),
        "openvino": (exact, {"precision": "float32", "runtime": "openvino"}),
    }
    return {name: known[name] for name in ("exact", *setting.options.variants)}


def ours(setting: Setting) -> list[Way]:
    """The public command as a user gives it."""
    found = []
    for name, (tile, execution) in variants(setting).items():
        config = setting.config(name, tile, execution)
        store = config.with_suffix(".zarr")
        command = [sys.executable, "-m", "pipeline", "run", str(config), "--fresh"]
        label = {"tolerance": f"tolerance {setting.options.tolerance:g}"}.get(name, name)
        answer = store.with_suffix(".report.json")
        found.append(
            Way(
                name=f"wholecloth, {label}",
                group="ours",
                command=command,
                answer=answer,
                precision=execution["precision"],
                mask=store / "0" / "mask",
            )
        )
    return found


def ceilings(setting: Setting) -> list[Way]:
    """What the machine can do."""
    options = setting.options
    common = {"sides": options.sides, "seconds": options.seconds, "memory": options.limits.memory}
    wanted = (
        FORWARD
        if options.forwards == "all"
        else {
            name: orders
            for name, orders in FORWARD.items()
            if orders["keep"]
            and orders["channels_last"]
            and orders.get("precision", "float32") in ("float32", *options.variants)
        }
    )
    found = [setting.child(name, "forward", "ceilings.forward", **common, **orders) for name, orders in wanted.items()]
    mask = setting.folder / "exact.zarr" / "0" / "mask"
    return [
        *found,
        setting.child("reading", "machine", "ceilings.reading"),
        setting.child(
            "writing", "machine", "ceilings.writing", like=str(mask), out=str(setting.folder / "written.zarr")
        ),
    ]


def peers(setting: Setting, installed: dict[str, dict[str, str] | None]) -> list[Way]:
    """Other tools, each as it is and with the allocator set."""
    known = {"monai": _monai(setting), "dask": _dask(setting)}
    return [
        setting.child(
            f"{name}{', memory kept' if environment else ''}",
            "peer",
            python=setting.options.peer_python,
            environment=environment,
            missing=orders.pop("missing", "") if installed[peer] else f"not installed (needs {', '.join(NEEDS[peer])})",
            **orders,
        )
        for peer in setting.options.peers
        for name, said in known[peer].items()
        for environment in ({}, KEPT)
        for orders in [dict(said)]
    ]


def _monai(setting: Setting) -> dict[str, dict[str, Any]]:
    common = {"module": "peers.monai_window", "tile": setting.options.window}
    return {f"MONAI, {mode}": {**common, "mode": mode, "mask": f"monai-{mode}.tif"} for mode in setting.options.modes}


def _dask(setting: Setting) -> dict[str, dict[str, Any]]:
    halo = setting.facts["halo"]["px"]
    missing = "no halo makes it right: the network is not local" if setting.radius is None else ""
    chunk = max(setting.options.chunk, halo or 0)
    orders = {"tile": chunk, "halo": halo, "multiple": setting.multiple, "mask": "dask.zarr", "missing": missing}
    return {"dask map_overlap": {"module": "peers.dask_overlap", **orders}}
