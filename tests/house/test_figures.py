from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.house import families, figures, graph, imports, names, state
from tests.house.modules import Module, modules

PACKAGE = {
    "__init__.py": "from pipeline.upper import top\nVERSION = '1'",
    "errors.py": "class Fault(Exception): ...",
    "upper/__init__.py": "",
    "upper/top.py": "from pipeline.lower import KINDS\ndef run():\n    from pipeline.lower.said import load",
    "lower/__init__.py": "from pipeline.lower import said, wide\nKINDS = {'wide': wide.load, 'said': "
    "said.load}\nTABLE = [1]",
    "lower/said.py": "import pipeline.errors\nfrom . import wide\nHELD = 1\ndef load(found, *, key): ...",
    "lower/wide.py": "from ..errors import Fault\ndef load(found): ...\nclass Reader:\n    rows: int\n    "
    "def made(self): ...\n    def of(self): ...",
}


def package(root: Path, files: dict[str, str]) -> tuple[Module, ...]:
    for name, text in files.items():
        path = root / "pipeline" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text) + "\n")
    return modules(root)


def test_rooms_import_rooms_and_the_door_imports_none(tmp_path: Path) -> None:
    arrows = {room: set(targets) for room, targets in imports.room_graph(package(tmp_path, PACKAGE)).items()}
    assert arrows == {"__init__": set(), "errors": set(), "upper": {"lower"}, "lower": {"errors"}}


def test_files_import_submodules_and_the_modules_that_define_a_name(tmp_path: Path) -> None:
    arrows = imports.file_graph(package(tmp_path, PACKAGE))
    assert arrows["pipeline.upper.top"] == {"pipeline.lower", "pipeline.lower.said"}
    assert arrows["pipeline.lower"] == {"pipeline.lower.said", "pipeline.lower.wide"}
    assert arrows["pipeline.lower.said"] == {"pipeline.errors", "pipeline.lower.wide"}
    assert arrows["pipeline.lower.wide"] == {"pipeline.errors"}


def nodes(text: str) -> dict[str, frozenset[str]]:
    """A graph of letters: ``ab`` is an arrow from a to b."""
    return {node: frozenset(arrow[1] for arrow in text.split() if arrow[0] == node) for node in text.replace(" ", "")}


@pytest.mark.parametrize(
    ("arrows", "circles", "floors", "reduced"),
    [
        ("ab bc", [], 3, "ab bc"),
        ("ab bc ac", [], 3, "ab bc"),
        ("ab ac bd cd ad", [], 3, "ab ac bd cd"),
        ("ab ba bc", [("a", "b")], 2, "ab ba bc"),
        ("ab bc ca cd ad", [("a", "b", "c")], 2, "ab bc ca cd ad"),
        ("aa", [("a",)], 1, "aa"),
    ],
)
def test_circles_floors_and_arrows_without_detours(
    arrows: str, circles: list[tuple[str, ...]], floors: int, reduced: str
) -> None:
    assert graph.circles(nodes(arrows)) == circles
    assert graph.longest_chain(nodes(arrows)) == floors
    assert graph.without_detours(nodes(arrows)) == nodes(reduced)


def test_pro_words_are_counted_among_variables_names_methods_and_files(tmp_path: Path) -> None:
    files = package(tmp_path, PACKAGE)
    assert figures.pro_word_definitions(files) == ["pipeline.lower.said.HELD"]
    assert figures.pro_word_methods(files) == ["pipeline.lower.wide.made"]
    assert figures.pro_word_files(files) == ["pipeline.lower.said"]
    assert figures.pro_words(files) == {"found": 2, "HELD": 1}


def test_every_kind_of_binding_is_a_variable(tmp_path: Path) -> None:
    text = """
        a = 1
        b: int = 2
        for c, (d, *e) in []:
            f += 1
        with open(a) as g:
            h = [i for i in a if (j := i)]
        def function(k, /, l, *m, n, **o):
            return lambda p: p
        class Value:
            q: int
        try:
            pass
        except OSError as error:
            a.attribute = a["item"] = 1
    """
    assert "".join(sorted(names.bound_variables(package(tmp_path, {"file.py": text})))) == "abcdefghijklmnopq"


def test_names_of_one_family_may_stand_in_each_of_its_files(tmp_path: Path) -> None:
    strays = {"upper/other.py": "def load(): ...\ndef size(): ...", "lower/size.py": "def size(): ..."}
    assert not families.duplicates(names.homes(package(tmp_path / "before", PACKAGE), constants=False))
    shared = families.duplicates(names.homes(package(tmp_path / "after", PACKAGE | strays), constants=False))
    assert {name: len(homes) for name, homes in shared.items()} == {"load": 3, "size": 2}


def test_a_command_may_bear_the_name_of_what_it_calls(tmp_path: Path) -> None:
    files = {
        "cli/verify.py": "def verify(): ...\ndef other(): ...",
        "quality.py": "def verify(): ...\ndef other(): ...",
    }
    assert list(families.duplicates(names.homes(package(tmp_path, files), constants=False))) == ["other"]


def test_state_of_a_process_is_what_functions_change(tmp_path: Path) -> None:
    text = """
        import threading
        from functools import cache
        TABLE = {"a": 1}
        NAMES = [1]
        LOCK = threading.Lock()
        STOP = threading.Event()
        _open: dict[str, int] = {}
        _last = None
        _limits = Limits(3)
        _order = [1]
        def change():
            global _last
            _last = TABLE["a"]
            _limits.most = 4
            _order.append(2)
        @cache
        def client(): ...
    """
    (module,) = package(tmp_path, {"file.py": text})
    assert state.mutable_globals(module) == ["STOP", "_last", "_limits", "_open", "_order"]
    assert state.cached_functions(module) == ["client"]


def test_every_figure_is_in_the_table(tmp_path: Path) -> None:
    table = {title: figure(package(tmp_path, PACKAGE)) for title, figure in figures.FIGURES.items()}
    assert table["files"] == "7"
    assert table["rooms"] == "2 folders, 1 loose modules"
    assert table["arrows between rooms"] == "2"
    assert table["floors (longest chain of rooms)"] == "3"
    assert table["circles of files"] == "none"
    assert table["classes and functions in several modules"] == "1 of 4, of which no family's: 0"
    assert table["pro-words among bound variables"].startswith("3 of 10 (30.0%): found 2")
