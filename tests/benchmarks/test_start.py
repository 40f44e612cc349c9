from pathlib import Path

import pytest

from benchmarks import start


def test_each_command_runs_once_for_its_measurements_and_the_least_of_the_rounds_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[str] = []

    def timed(*arguments: str) -> float:
        ran.append(arguments[2] if arguments[0] == "-m" else "imports")
        return 10.0 - len(ran)

    monkeypatch.setattr(start, "cpu_seconds", timed)
    seconds = start.measure(Path("job.yaml"), rounds=2)
    assert "run without torch" in start.commands(Path("job.yaml"), Path("onnx.yaml"))
    assert ran == ["run", "inspect", *2 * ["imports", "plan", "run", "inspect", "--help"]]
    assert seconds == {"imports": 2.0, "plan": 1.0, "run": 0.0, "inspect": -1.0, "--help": -2.0}
