"""Which tests run: quick ones, those of every change, or all of the night.

CONTRIBUTING.md says what stands where, and why.

A test marked ``slow`` starts a process or takes half a second: ``--tier quick`` leaves it out, as it does what asks a
server. One marked ``nightly("group")`` runs in ``--tier nightly`` only, and where ``--group`` names its group; with
``after=2``, only its cases after the first two are left to the night.
"""

from __future__ import annotations

import pytest

TIERS = ("quick", "test", "nightly")
GROUPS = {
    "kills": "every moment, signal and engine of a run that is ended, frozen or cut off",
    "jobs": "whole jobs in every variation: of sources, stores, tiles, layers, areas, plans and certificates",
    "storage": "stores and rasters on object storage, whatever goes wrong there",
    "networks": "networks in every form that people save them in, and the classics in full size",
    "training": "a training on several devices, and ended by each signal",
    "compile": "kernels made by torch.compile",
    "slurm": "a real SLURM",
    "clocks": "a wall clock that jumps",
    "scale": "benchmarks, rasters of 10¹¹ px",
    "readers": "what a run leaves, opened by other people's programs",
    "view": "the page of a store, driven in a browser",
}
"""Of tests of the night, with what they need time or a machine for."""

CASES = pytest.StashKey[dict[str, dict[str, int]]]()
"""Of a file or class: of each function, its cases in order."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--tier",
        choices=TIERS,
        default="test",
        help="Run the tests of this tier and of those before it (default: test).",
    )
    parser.addoption(
        "--group",
        action="append",
        choices=list(GROUPS),
        default=[],
        help="Run the nightly tests of this group, and no others; may be repeated.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is above the tier, and keep on one worker what shares a server or an import."""
    height, groups = TIERS.index(config.getoption("--tier")), set(config.getoption("--group"))
    chosen = [item for item in items if (group_of(item) in groups if groups else height_of(item) <= height)]
    left = set(items).difference(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item in left])
    for item in chosen:
        if config.pluginmanager.hasplugin("xdist") and (shared := shares(item)):
            item.add_marker(pytest.mark.xdist_group(shared))
    items[:] = chosen


def group_of(item: pytest.Item) -> str | None:
    """The group of a test of the night."""
    mark = item.get_closest_marker("nightly")
    if mark is None or case_of(item) < mark.kwargs.get("after", 0):
        return None
    (group,) = mark.args
    assert group in GROUPS, f"{item.nodeid} names the group {group!r}; tests/tiers.py lists {', '.join(GROUPS)}"
    return str(group)


def case_of(item: pytest.Item) -> int:
    """Position of a test among the cases of its function, from 0, as they are collected."""
    assert isinstance(item, pytest.Function)
    assert item.parent is not None
    cases = item.parent.stash.setdefault(CASES, {}).setdefault(item.originalname, {})
    return cases.setdefault(item.nodeid, len(cases))


def height_of(item: pytest.Item) -> int:
    """Index of the lowest tier that a test runs in."""
    served = isinstance(item, pytest.Function) and "server" in item.fixturenames
    return 2 if group_of(item) else int(served or item.get_closest_marker("slow") is not None)


def shares(item: pytest.Item) -> str | None:
    """What a test shares with others, so that one worker makes it once.

    Object storage, the imports of Lightning and of torch.export, what its file makes.
    """
    assert isinstance(item, pytest.Function)
    definitions = [fixture[-1] for fixture in item._fixtureinfo.name2fixturedefs.values()]
    if "server" in item.fixturenames and not any(
        fixture.argname == "server" and fixture.scope != "session" for fixture in definitions
    ):
        return "storage"
    if item.path.name in ("test_train.py", "test_lesson.py"):
        return "lightning"
    if "export" in item.name:
        return "export"
    return item.nodeid.partition("::")[0] if any(fixture.scope == "module" for fixture in definitions) else None
