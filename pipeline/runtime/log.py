"""What is told to machines: lines of JSON, one object each."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from pipeline.privacy.concealed import safe_document

MIN_LEVEL = logging.WARNING
"""Of what libraries log."""


def json_line(event: str, level: str = "info", **fields: Any) -> str:
    """One object: ``time`` (UTC), ``level`` (info, warning, error), ``event``, and whatever else is known.

    ASCII, so that no locale can spoil it.
    """
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(safe_document({"time": time, "level": level, "event": event, **fields}), default=str)


@contextmanager
def captured(stream: TextIO) -> Iterator[None]:
    """What libraries log meanwhile, and Python's warnings, as such lines."""
    root, lines = logging.getLogger(), _Lines(MIN_LEVEL)
    lines.stream = stream
    root.addHandler(lines)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(lines)


class _Lines(logging.Handler):
    stream: TextIO

    def emit(self, record: logging.LogRecord) -> None:
        """One record.

        A warning at most: what ends the run is said by the run, and libraries cry of workers that are replaced.
        """
        print(
            json_line("log", "warning", logger=record.name, message=record.getMessage()), file=self.stream, flush=True
        )
