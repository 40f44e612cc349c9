"""Why a library of others cannot be imported, and the way out.

Releases that do not fit each other, and what the system lacks.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import TracebackType

PACKAGE = Path(__file__).resolve().parents[1]
CPU_INDEX_URL = "https://download.pytorch.org/whl/cpu"
USERS = "wholecloth_user_"
"""How names begin of modules that are made of a file which the user names."""
LIBRARIES = {
    "libGL.so": "libgl1",
    "libglib-2.0": "libglib2.0-0",
    "libgthread-2.0": "libglib2.0-0",
    "libgomp": "libgomp1",
    "libopenslide": "libopenslide0",
    "libvips": "libvips42",
    "libexpat": "libexpat1",
    "libgdal": "libgdal-dev",
    "libstdc++": "libstdc++6",
    "libsm.so": "libsm6",
    "libsndfile": "libsndfile1",
}
"""Packages of Debian and Ubuntu, by the library in them."""


def fault(error: BaseException) -> str | None:
    """What is wrong with an installation, in sentences with the way out.

    It is told of an error that was raised while a library of others was imported.

    Parameters
    ----------
    error
        Whatever was raised.

    Returns
    -------
    str or None
        None where nothing of others was being imported.
    """
    name = _importing(error)
    if name is None:
        return None
    text = _line(error)
    for explains in (_absent, _torchvision, _missing, _older, _numpy, _backend, _symbol):
        if (explanation := explains(name, text)) is not None:
            return explanation
    return _unknown_error(name, text)


def _importing(error: BaseException) -> str | None:
    """Top-level name of the library whose import raised an error; None where it was code of ours, or no import."""
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != PACKAGE.name:
        return error.name.partition(".")[0]
    names = list(_modules(error.__traceback__))
    if names and names[-1] != PACKAGE.name:
        return names[-1]
    if isinstance(error, ImportError) and error.name and error.name.partition(".")[0] != PACKAGE.name:
        return error.name.partition(".")[0]
    return None


def _modules(trace: TracebackType | None) -> Iterator[str]:
    """Top-level names of the modules that run at their import, from the outside in; ours wherever code of ours runs."""
    while trace is not None:
        code, names = trace.tb_frame.f_code, trace.tb_frame.f_globals
        if PACKAGE in Path(code.co_filename).parents:
            yield PACKAGE.name
        elif code.co_name == "<module>" and names.get("__spec__") is not None and names["__name__"] != "__main__":
            yield str(names["__name__"]).partition(".")[0]
        trace = trace.tb_next


def _line(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())[:300].rstrip(". ")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _absent(name: str, text: str) -> str | None:
    if not text.startswith("ModuleNotFoundError"):
        return None
    return (
        f"the module {name} is not there ({text}). Install the package that has it, or name the folder "
        f"that has it in PYTHONPATH."
    )


def _unknown_error(name: str, text: str) -> str | None:
    """Of a library that raises what nobody knows: None where it is the user's own file."""
    if name.startswith(USERS):
        return None
    file = getattr(getattr(sys.modules.get(name), "__spec__", None), "origin", None)
    remedy = (
        f"Upgrade it, or uninstall it where nothing needs it: {_pip()} uninstall {_distribution(name)}"
        if _installed(name)
        else "Mend it, or take it off the path"
    )
    return f"{_name_and_release(name)} raises an error at its import ({text}){f' in {file}' if file else ''}. {remedy}."


def _torchvision(name: str, text: str) -> str | None:
    if "torchvision" not in f"{name} {text}" or not re.search(
        r"operator torchvision::|custom C\+\+ ops|compiled with different CUDA|undefined symbol|_C\.so", text
    ):
        return None
    torch = _version("torch")
    return (
        f"torchvision {_version('torchvision')} does not fit torch {torch} ({text}). Install the one that "
        f"goes with it: "
        f"{_pip()} install --force-reinstall --no-deps "
        f"torchvision{_matching_torchvision(torch)}{f' --index-url {CPU_INDEX_URL}' if torch.endswith('+cpu') else ''}."
    )


def _matching_torchvision(torch: str) -> str:
    """Which torchvision goes with a torch: 0.15 with 2.0, and a minor release with each up to 0.28 with 2.13."""
    match = re.match(r"2\.(\d+)\.", torch)
    return f"==0.{int(match[1]) + 15}.*" if match and int(match[1]) <= 13 else ""


def _missing(name: str, text: str) -> str | None:
    """A library of the system that is not there."""
    match = re.search(
        r"(\S*?\.so[\w.]*|\S+\.dylib): cannot open shared object file"
        r"|(?:Library not loaded: \S*?)(lib\S+)"
        r"|DLL load failed while importing (\S+)",
        text,
    )
    if match is None:
        return None
    library = next(group for group in match.groups() if group)
    package = next((package for part, package in LIBRARIES.items() if library.lower().startswith(part.lower())), None)
    remedy = (
        f"Install it: apt-get install {package} (Debian, Ubuntu), or the package of your system that has it"
        if package
        else "Install the package of your system that has it"
    )
    return f"{_name_and_release(name)} needs the library {library}, which this system lacks ({text}). {remedy}."


def _older(name: str, text: str) -> str | None:
    match = re.search(r"version [`']((?:GLIBC|GLIBCXX|CXXABI)_[\d.]+)' not found", text)
    if match is None:
        return None
    needs = f"{_name_and_release(name)} was built for a newer system: it needs {match[1]} ({text})"
    return f"{needs}. Install an older release of it, or run on a newer system or in a container."


def _numpy(name: str, text: str) -> str | None:
    if not re.search(
        r"compiled using NumPy 1|numpy\.core\.multiarray failed|_ARRAY_API not found|numpy\.dtype size changed", text
    ):
        return None
    return (
        f"{_name_and_release(name)} was built for another numpy than {_version('numpy')} ({text}). Upgrade "
        f"it: {_pip()} install --upgrade "
        f"{_distribution(name)}."
    )


def _backend(name: str, text: str) -> str | None:
    match = re.search(r"Failed to load the backend extension: (\S+?)\.?(?:\s|$)", text)
    if match is None:
        return None
    return (
        f"torch loads its extension {match[1]} at its import, which raises an error ({text}). Upgrade or "
        f"uninstall {match[1]}, or set "
        "TORCH_DEVICE_BACKEND_AUTOLOAD=0 in the environment."
    )


def _symbol(name: str, text: str) -> str | None:
    if "undefined symbol" not in text:
        return None
    remedy = f"{_pip()} install --force-reinstall {_distribution(name)}"
    return (
        f"{_name_and_release(name)} was built for another release of a library that it uses ({text}). "
        f"Install it again: {remedy}."
    )


def _pip() -> str:
    return f"{Path(sys.executable).name} -m pip"


def _name_and_release(name: str) -> str:
    """A library and its release."""
    version = _version(name)
    return name if version == "(not installed)" else f"{name} {version}"


def _version(name: str) -> str:
    return _first(lambda: metadata.version(_distribution(name))) or "(not installed)"


def _installed(name: str) -> bool:
    return name in metadata.packages_distributions()


def _distribution(name: str) -> str:
    """What pip calls the library of a module."""
    return _first(lambda: metadata.packages_distributions()[name][0]) or name


def _first(ask: Callable[[], str]) -> str | None:
    try:
        return ask()
    except (metadata.PackageNotFoundError, KeyError, IndexError):
        return None
