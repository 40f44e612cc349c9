"""The faults of mutations.md, one by one in a copy of the tree.

``python -m tests.mutations [NUMBER …] [-- PYTEST OPTIONS]``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import IO

import psutil

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).with_suffix(".md")
LIMIT_S = 60
"""Seconds that the tests of a fault may take, where nothing else is asked for."""
JUDGED = ("caught", "missed")
"""Verdicts that a rerun takes over; anything else is tried again."""
_FAULT = re.compile(
    r"^### (\d+)\. (.+)\n(?:\n.+\n)*\n"
    r"```diff\n--- (\S+)\n-(.*)\n\+(.*)\n```\n\ntests: (.+)(?:\n\nonly in a whole run: (.+))?$",
    re.M,
)
_FALLEN = re.compile(r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - .*)?$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One line that is changed."""

    number: int
    name: str
    file: str
    """From the root."""
    old: str
    """The whole line, which stands in the file once."""
    new: str
    tests: tuple[str, ...]
    """Files of which a test should fall."""
    whole: str
    """Why they do not show it in time, and only a run of all tests does; empty where they do."""

    def put_into(self, text: str) -> str:
        """The text of the file with the fault; ValueError where the line is not there exactly once."""
        lines = text.split("\n")
        if lines.count(self.old) != 1:
            raise ValueError(
                f"fault {self.number} ({self.name}): its line stands {lines.count(self.old)} times in "
                f"{self.file}, not once: {self.old.strip()}"
            )
        lines[lines.index(self.old)] = self.new
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a fault."""

    key: str
    """Of the fault, as it was, and of how its tests were run."""
    number: int
    name: str
    verdict: str
    """caught, missed, late (not judged in time), broken (pytest ran no test to its end), or whole: left to a run of all
    tests."""
    what: str
    """The test that fell, what pytest said at last, or why it was not tried."""
    seconds: float

    def __str__(self) -> str:
        words = {
            "caught": "",
            "missed": "MISSED",
            "late": "NOT JUDGED in time",
            "broken": "BROKEN: ",
            "whole": "only in a whole run: ",
        }
        return f"{self.number:3}  {self.name}: {words[self.verdict]}{self.what}  ({self.seconds:.1f} s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy of the tree, in which one fault at a time is tried, on one core."""

    tree: Path
    core: int
    limit: float
    """Seconds for the tests of a fault."""

    @property
    def environment(self) -> dict[str, str]:
        """Of the tests, and of all that they start.

        The package and temporary files are those of the copy, and compiled modules are kept.
        """
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, "PYTHONPATH": str(self.tree), "TMPDIR": str(self.tree.parent)}


def faults(page: str) -> list[Fault]:
    """All that a page lists."""
    return [
        Fault(number=int(number), name=name, file=file, old=old, new=new, tests=tuple(tests.split()), whole=whole)
        for number, name, file, old, new, tests, whole in _FAULT.findall(page)
    ]


def copied(folder: Path, core: int, limit: float) -> Copy:
    """The tree as it is now, but for what git ignores.

    RuntimeError where another package would be imported all the same.
    """
    made = Copy(tree=folder / "tree", core=core, limit=limit)
    listed = subprocess.run(
        ["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(lambda name: (ROOT / name).is_file(), listed.split("\0")):
        (made.tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, made.tree / name)
    command = [sys.executable, "-c", "import pipeline; print(pipeline.__file__)"]
    place = subprocess.run(
        command, cwd=folder, env=made.environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(place).is_relative_to(made.tree):
        raise RuntimeError(f"the tests would import {place}, not the copy in {made.tree}")
    return made


@contextmanager
def damaged(fault: Fault, tree: Path) -> Iterator[None]:
    """A tree with a fault in it."""
    path = tree / fault.file
    before = path.read_text(encoding="utf-8")
    try:
        _write(path, fault.put_into(before))
        yield
    finally:
        _write(path, before)


def _write(path: Path, text: str) -> None:
    """Python takes a file of the same size and second for the one that it has compiled."""
    path.write_text(text, encoding="utf-8")
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def tried(fault: Fault, copy: Copy, options: list[str]) -> Outcome:
    """Run the tests of a fault until one falls."""
    began = time.monotonic()
    verdict, what = ("whole", fault.whole) if fault.whole else _tried(fault, copy, options)
    return Outcome(
        key=key(fault, options),
        number=fault.number,
        name=fault.name,
        verdict=verdict,
        what=what,
        seconds=round(time.monotonic() - began, 1),
    )


def _tried(fault: Fault, copy: Copy, options: list[str]) -> tuple[str, str]:
    with damaged(fault, copy.tree), tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        code = _pytest([*options, *fault.tests], copy, output)
        output.seek(0)
        return judged(code, output.read())


def _pytest(arguments: list[str], copy: Copy, output: IO[str]) -> int | None:
    """The exit code; None where it takes too long. Nothing that it started is left."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {copy.core})  # of this thread, and so of what it starts
    process = subprocess.Popen(
        command,
        cwd=copy.tree,
        env=copy.environment,
        stdout=output,
        stderr=output,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(copy.limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the group, and what has left it."""
    with suppress(psutil.NoSuchProcess):
        for other in psutil.Process(process.pid).children(recursive=True) if process.returncode is None else ():
            with suppress(psutil.NoSuchProcess):
                other.kill()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def judged(code: int | None, output: str) -> tuple[str, str]:
    """The verdict, and the test that fell.

    A module that cannot be imported is no test, and time that runs out is no catch.
    """
    fallen = _FALLEN.search(output.rpartition("short test summary info")[2])
    if code is None:
        return "late", ""
    if code == 0:
        return "missed", ""
    if code == 1 and fallen:
        return "caught", fallen[1]
    return "broken", (output.strip().splitlines() or [f"exit code {code}"])[-1]


def key(fault: Fault, options: list[str]) -> str:
    """By which an outcome is known again."""
    return hashlib.blake2b(repr((fault, options)).encode(), digest_size=8).hexdigest()


def earlier(results: Path, again: bool) -> dict[str, Outcome]:
    """Outcomes that stand, by key; none where everything is to be tried again."""
    if again:
        results.unlink(missing_ok=True)
    results.parent.mkdir(parents=True, exist_ok=True)
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    return {outcome.key: outcome for outcome in outcomes if outcome.verdict in JUDGED}


def outcomes(chosen: list[Fault], options: list[str], how: argparse.Namespace) -> Iterator[Outcome]:
    """What becomes of each fault, in order; written down as it comes."""
    known = earlier(how.results, how.again)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    with (
        tempfile.TemporaryDirectory(prefix="wholecloth-", ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(how.jobs) as pool,
    ):
        free: SimpleQueue[Copy] = SimpleQueue()
        for number in range(how.jobs):
            free.put(copied(Path(folder) / str(number), cores[number % len(cores)], how.limit))

        def outcome(fault: Fault) -> Outcome:
            if key(fault, options) in known:
                return known[key(fault, options)]
            copy = free.get()
            made = tried(fault, copy, options)
            free.put(copy)
            with how.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(made)) + "\n")
            return made

        yield from pool.map(outcome, chosen)


def asked(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """What was typed, and after ``--`` what pytest is given as well."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations",
        description="Put in the faults of tests/mutations.md one by one and see a test fall.",
    )
    parser.add_argument("numbers", metavar="NUMBER", nargs="*", type=int, help="only these faults")
    parser.add_argument(
        "--results",
        metavar="FILE",
        type=Path,
        default=ROOT / "out" / "mutations.jsonl",
        help="what is done; a rerun skips it",
    )
    parser.add_argument("--again", action="store_true", help="start anew")
    parser.add_argument(
        "--jobs", metavar="N", type=int, default=1, help="faults at once, each on a core and in a copy of its own"
    )
    parser.add_argument(
        "--limit",
        metavar="S",
        type=float,
        default=LIMIT_S,
        help="seconds for the tests of a fault: more on a busy machine",
    )
    return parser.parse_args(arguments[:cut]), arguments[cut + 1 :]


def picked(listed: list[Fault], numbers: list[int]) -> list[Fault]:
    """All, or those of the numbers, which are tried whatever their tests take.

    ValueError where there is no such fault.
    """
    if strange := set(numbers) - {fault.number for fault in listed}:
        raise ValueError(f"there is no fault {min(strange)}: they are 1 to {len(listed)}")
    return [replace(fault, whole="") for fault in listed if fault.number in numbers] if numbers else listed


def main(arguments: list[str]) -> int:
    """Try the faults; 1 where any that should be caught was not."""
    how, options = asked(arguments)
    chosen = picked(faults(PAGE.read_text(encoding="utf-8")), how.numbers)
    for fault in chosen:
        fault.put_into((ROOT / fault.file).read_text(encoding="utf-8"))
    counts: Counter[str] = Counter()
    for outcome in outcomes(chosen, options, how):
        counts[outcome.verdict] += 1
        print(outcome, flush=True)
    left = (
        f"{counts['missed']} missed, {counts['late']} not judged in time, {counts['broken']} broken, "
        f"{counts['whole']} left to a whole run"
    )
    print(f"{counts['caught']} of {len(chosen)} caught; {left}")
    return int(counts["caught"] + counts["whole"] < len(chosen))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ValueError as error:
        sys.exit(str(error))
