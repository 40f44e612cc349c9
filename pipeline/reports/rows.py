"""What the report of a run says, as rows of a name and a value for people."""

from __future__ import annotations

from typing import Any

from pipeline.planning.normalise_text import NORMALISE_KEY, normalise_sentence
from pipeline.reports.area_picture import stored_area
from pipeline.runtime.resources import human

Row = tuple[str, str]
"""A name and a value."""


def time_rows(document: dict[str, Any]) -> list[Row]:
    """Where time went beside what was projected; empty where nothing was inferred."""
    if not document.get("done"):
        return []
    estimated = document.get("plan", {}).get("estimated_seconds")
    device = document.get("device") or {}
    return [
        ("blocks took", f"{seconds_text(document['seconds'])}, {document['mpx_per_s']:g} Mpx/s"),
        *([("projected", seconds_text(estimated))] if estimated is not None else []),
        *([("device busy", f"{device['busy']:.0%}")] if "busy" in device else []),
    ]


def stage_shares(document: dict[str, Any]) -> list[tuple[str, str, float]]:
    """Stages of blocks: name, seconds in words, and share of all stages."""
    waits: dict[str, float] = document.get("waits") or {}
    total = sum(waits.values())
    return [(name, seconds_text(seconds), seconds / total) for name, seconds in waits.items()] if total else []


def memory_bars(document: dict[str, Any]) -> list[tuple[str, str, float]]:
    """Memory used, projected and allowed: name, bytes in words, and share of the largest."""
    budget = document.get("plan", {}).get("memory", {}).get("budget", 0)
    sizes = {"peak": document["peak_memory"], "projected": document["projected_memory"], "allowed": budget}
    largest = max(sizes.values())
    return [(name, human(size), size / largest) for name, size in sizes.items() if size] if largest else []


def invalid_rows(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Causes of invalid pixels: name, pixels and share of all that were asked for."""
    whole = document.get("whole") or document
    pixels, invalid = whole.get("pixels", 0), whole.get("invalid") or {}
    return [(cause, f"{count:,}", share_text(count / pixels)) for cause, count in invalid.items() if pixels]


def decision_rows(meta: dict[str, Any], document: dict[str, Any]) -> list[Row]:
    """What was decided: by the store, and by the plan of the run where the report has one."""
    tiles, locality, recipe = (meta.get(name, {}) for name in ("tiles", "locality", "recipe"))
    plan: dict[str, Any] = document.get("plan") or {}
    rows = [
        ("network", f"{locality.get('verdict', '?')}, stride {locality.get('stride', '?')} px"),
        ("halo", f"{_px(tiles.get('halo'))}: {meta.get('halo', {}).get('why', '')}"),
        ("tiles", f"up to {tiles.get('size', '?')} px"),
        ("blocks", f"{document['blocks']:,} of {tiles.get('block', '?')} px, chunks of {tiles.get('chunk', '?')} px"),
        ("precision", f"{recipe.get('precision', '?')}, {recipe.get('threads', '?')} threads a tile"),
    ]
    if (record := meta.get("fingerprint", {}).get(NORMALISE_KEY)) is not None:
        rows.append(("input", normalise_sentence(record)))
    if plan:
        engine = f"{plan.get('engine', '?')} on {plan.get('device', '?')}, {plan['blocks']['in_flight']} in flight"
        rows += [("arithmetic", f"{plan['arithmetic_overhead']:g} × that of the pixels"), ("engine", engine)]
        rows += [("note", note) for note in plan.get("raster", {}).get("notes", ())]
    return rows


def requested_text(meta: dict[str, Any], document: dict[str, Any]) -> str:
    """How much of the raster was asked for, and where; empty where everything was."""
    if "area" not in meta:
        return ""
    source, plan = meta["config"]["source"], (document.get("plan") or {}).get("area")
    mask = stored_area(meta)
    share = plan["share"] if plan else 0.0 if mask is None else float(mask.mean())
    names = [f"source.{key}" for key in ("aoi", "only") if source.get(key)]
    notes = "; ".join(plan.get("notes", ())) if plan else ""
    about = "" if plan else "about "
    return f"{about}{share_text(share)} of the raster, by {' and '.join(names)}{f'; {notes}' if notes else ''}"


def version_rows(meta: dict[str, Any]) -> list[Row]:
    """Versions that made the store."""
    return [(name, str(version)) for name, version in meta.get("versions", {}).items()]


def seconds_text(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def share_text(share: float) -> str:
    """A share in percent; what is more than nothing is never shown as nothing."""
    return f"{share:.1%}" if share >= 0.0005 or not share else "< 0.1%"


def _px(halo: int | None) -> str:
    return "none, tiles are blended" if halo is None else f"{halo} px"
