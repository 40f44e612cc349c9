"""Files of installed packages, by ``package://module/file``: found in the list of files that was installed.

Nothing is imported, and no file is found that is not in a list, so that a path leads nowhere else.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path, PurePosixPath

PACKAGE_SCHEME = "package://"
EXTRAS = {"ukis_csmask": "clouds"}
"""Extras that install a module with networks."""


def package_file(address: str) -> Path:
    """The file on disk.

    Parameters
    ----------
    address
        ``package://module/file``, such as ``package://ukis_csmask/model_4b_l1c.onnx``.

    Raises
    ------
    ValueError
        No package of this name is installed, or it has no such file.
    """
    name = address.removeprefix(PACKAGE_SCHEME)
    module, slash, rest = name.partition("/")
    if not (module and slash and rest) or ".." in PurePosixPath(name).parts:
        raise ValueError(
            f"{PACKAGE_SCHEME} is followed by the name of a module and a file in it: {PACKAGE_SCHEME}nets/a.onnx"
        )
    distributions = metadata.packages_distributions().get(module)
    if not distributions:
        command = f"pip install 'wholecloth[{EXTRAS[module]}]'" if module in EXTRAS else "Install it beside wholecloth"
        raise ValueError(f"no package with the module {module} is installed: {command}")
    for distribution in map(metadata.distribution, dict.fromkeys(distributions)):
        for file in distribution.files or ():
            if file.as_posix() == name:
                return _inside(distribution, Path(str(distribution.locate_file(file))))
    raise ValueError(f"{' and '.join(dict.fromkeys(distributions))} installed no file {rest} in {module}")


def _inside(distribution: metadata.Distribution, file: Path) -> Path:
    """The file, where it lies in the folder into which its package was installed."""
    root = Path(str(distribution.locate_file(""))).resolve()
    if not file.resolve().is_relative_to(root):
        raise ValueError(f"{file} is a link out of {root}, into which its package was installed")
    return file
