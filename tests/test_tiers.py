from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import commands, programs, temporary, tiers
from tests.guards import GUARDS, groups

ROOT = Path(__file__).resolve().parents[1]


def test_every_group_of_the_night_has_tests_and_guards_and_every_guard_a_group() -> None:
    marked = {
        group
        for path in (ROOT / "tests").rglob("test_*.py")
        for group in re.findall(r'mark\.nightly\("(\w+)"', path.read_text())
    }
    assert marked == set(tiers.GROUPS) == set(GUARDS)
    assert set(programs.PROGRAMS) <= set(tiers.GROUPS)


def test_what_is_guarded_exists() -> None:
    for path in {path for guarded in GUARDS.values() for path in guarded}:
        assert (ROOT / path).exists(), f"{path} is guarded, and not there"


def test_a_change_asks_for_the_groups_that_guard_it() -> None:
    assert groups(["README.md", "pipeline/config/execution.py"]) == []
    assert groups(["pipeline/models/torch_compile.py"]) == ["networks", "compile"]
    assert groups(["pipeline/engines/slurm.py", "docs/cluster.md"]) == ["kills", "jobs", "slurm"]


def test_what_is_missing_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "is_installed", lambda program: program != "munged")
    assert programs.missing(["slurm", "compile", "networks"]) == {"munged": "munge"}


def test_an_interpreter_that_is_not_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert programs.interpreter("3.1") is None


TESTS = """
import pytest
def test_quick(): pass
@pytest.mark.slow
def test_of_each_change(): pass
@pytest.mark.slow
@pytest.mark.nightly("kills")
def test_of_the_night(): pass
@pytest.mark.nightly("scale")
def test_of_another_group(): pass
@pytest.mark.nightly("scale", after=1)
@pytest.mark.parametrize("case", range(3))
def test_of_which_one_case_is_of_the_day(case): print('case', case)
"""


@pytest.mark.slow
@pytest.mark.nightly("jobs", after=1)
@pytest.mark.parametrize(
    ("options", "count"),
    [
        ([], 3),
        (["--tier=quick"], 2),
        (["--tier=nightly"], 7),
        (["--group=kills"], 1),
        (["--group=kills", "--group=scale"], 4),
    ],
)
def test_a_tier_has_its_tests_and_those_of_the_tiers_before_it(options: list[str], count: int, tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    done = pytest_of_its_own(tmp_path, *options)
    assert f"{count} passed" in done.stdout, done.stdout
    assert (f"{7 - count} deselected" in done.stdout) == (count < 7)


def pytest_of_its_own(folder: Path, *options: str) -> Any:
    """These hooks, on other tests."""
    (folder / "conftest.py").write_text("from tests.tiers import pytest_addoption, pytest_collection_modifyitems\n")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  slow: a\n  nightly: b\n  xdist_group: c\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--rootdir={folder}",
        str(folder),
        *options,
    ]
    return commands.run(command, cwd=folder, env=environment)


SHARING = """
import pytest
@pytest.fixture(scope="module")
def costly(): return 1
@pytest.mark.parametrize("number", range(8))
def test_it(number, costly, worker_id): print("at", worker_id)
"""


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_what_a_module_makes_once_is_made_on_one_worker(tmp_path: Path) -> None:
    (tmp_path / "test_sharing.py").write_text(SHARING)
    done = pytest_of_its_own(tmp_path, "-n", "2", "--dist", "loadgroup", "-vv")
    assert "8 passed" in done.stdout, done.stdout
    assert len(set(re.findall(r"\[(gw\d)\]", done.stdout))) == 1


@pytest.mark.slow
def test_collecting_imports_nothing_that_few_tests_need() -> None:
    """Lightning, moto and pyogrio take as long as all other imports; torch.export comes with torch itself."""
    late = {"lightning", "moto", "pyogrio", "onnxruntime", "matplotlib", "flask", "bokeh"}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        # a process of its own; and imported by those that need it
        if path.name in ("storage_server.py", "onnx_files.py"):
            continue
        tree = ast.parse(path.read_text())
        names = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert not {name.partition(".")[0] for name in names} & late, path


@pytest.mark.slow
@pytest.mark.nightly("jobs")
def test_the_collection_of_all_tests_has_not_imported_them_by_others_either() -> None:
    code = (
        "import sys, pytest; pytest.main(['--collect-only', '-q', '--tier', 'nightly']); "
        "print(sorted({'lightning', 'moto', 'pyogrio'} & set(sys.modules)))"
    )
    done = commands.run([sys.executable, "-c", code], cwd=ROOT, fork=False)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout[-2000:]


def test_tests_write_into_memory_where_it_has_room_and_to_disk_where_it_has_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(temporary, "MEMORY", tmp_path)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 64 << 30}))
    for room, inside in ((temporary.ROOM, True), (temporary.ROOM - 1, False)):
        monkeypatch.setattr(temporary, "free", lambda folder, room=room: room)
        folder = temporary.root()
        assert folder.is_relative_to(tmp_path) == inside
        folder.rmdir()


def test_the_folder_of_a_run_is_gone_when_it_ends_and_holds_no_more_than_it_may(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(temporary, "MEMORY", tmp_path)
    monkeypatch.setattr(temporary, "ROOM", 1 << 16)
    made = temporary.Temporary(type("Config", (), {"option": type("Option", (), {"basetemp": None})}))  # type: ignore[arg-type]
    monkeypatch.setattr(temporary, "free", lambda folder: made.free - (1 << 20))
    made.pytest_runtest_logfinish("test_small")
    (made.folder / "large").write_bytes(b"x" * (1 << 17))
    with pytest.raises(pytest.exit.Exception, match=r"after test_large; --basetemp"):
        made.pytest_runtest_logfinish("test_large")
    made.pytest_unconfigure()
    assert not made.folder.exists()


def test_no_waits_without_a_deadline() -> None:
    """A command that hangs fails its test by a time-out, and not the whole run."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"\.poll\(\) is None\b", line) and "while" in line:
                assert "deadline" in line or "< end" in line or path.name in ("commands.py", "test_tiers.py"), (
                    f"{path.name}:{number} waits for ever"
                )


def test_make_offers_each_tier() -> None:
    done = subprocess.run(["make", "-n", "quick", "nightly"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(f"--tier {tier}" in done.stdout for tier in ("quick", "nightly"))
