"""Libraries that only some commands need: imported where they are used, and named where they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from pipeline.errors import ExtraError
from pipeline.runtime.import_faults import fault


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a library of an extra.

    Parameters
    ----------
    module
        Its name, such as ``pyogrio``.
    extra
        The extra that brings it.
    purpose
        What it is needed for, as the beginning of a sentence.

    Raises
    ------
    ExtraError
        It is not installed, or cannot be imported here.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise ExtraError(
            f"{purpose} needs {missing}, which is not installed. Install it with pip install 'wholecloth[{extra}]'."
        ) from error
    except (Exception, SystemExit) as error:  # whatever its code raises, or what it imports
        raise ExtraError(
            f"{purpose} needs {module}, which cannot be imported: {fault(error) or repr(error)}"
        ) from error
