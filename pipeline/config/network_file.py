"""The file of a network, by whatever address a config names it."""

from __future__ import annotations

from pipeline.config.hub_address import HUB_SCHEME, hub_file
from pipeline.config.package_files import PACKAGE_SCHEME, package_file


def located_file(path: object) -> object:
    """The file of an address in a package; any other path as it is.

    Of an address of a model repository the form is checked; `models.hub` fetches the file once a job needs it.
    """
    if isinstance(path, str) and path.startswith(HUB_SCHEME):
        hub_file(path)
    return package_file(path) if isinstance(path, str) and path.startswith(PACKAGE_SCHEME) else path
