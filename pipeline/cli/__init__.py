"""The commands, one file each; a command imports heavy libraries only where it needs them."""

from __future__ import annotations

from pipeline.cli import (
    apply,
    evaluate,
    export,
    finish,
    init,
    inspect,
    plan,
    preview,
    run,
    sample,
    schema,
    stats,
    status,
    train,
    verify,
    view,
)
from pipeline.cli.app import app
from pipeline.cli.exit import run_and_exit

__all__ = ["app", "main"]

COMMANDS = (
    run.run,
    plan.plan,
    preview.preview,
    inspect.inspect,
    init.init,
    status.status,
    finish.finish,
    export.export,
    apply.apply,
    verify.verify,
    train.train,
    evaluate.evaluate,
    stats.stats,
    view.view,
    sample.sample,
    schema.schema,
)
"""As ``--help`` lists them."""

for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Entry of ``wholecloth`` and ``python -m pipeline``."""
    run_and_exit(lambda: app(standalone_mode=False))
