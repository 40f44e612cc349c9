"""The process's allocator.

What a layer of the network frees stays for the next layer instead of going back to the kernel.

glibc maps every large tensor anew and unmaps it when it is freed, so that each layer pays for its pages again, which
can take longer than its arithmetic. These settings are read by glibc before the first line of Python, and only from the
environment; so the command starts itself once more, in the same process, with them in place. Workers that it starts
inherit them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

TUNABLES = {
    "mmap_max": 0,  # large tensors come from the heap
    "trim_threshold": 2**46,  # the heap is not given back by itself
    "top_pad": 2**26,
    "arena_max": 1,  # what one thread frees another may take
    "tcache_count": 0,  # small leftovers beside aligned tensors must melt into their neighbours,
    "mxfast": 0,  # or a tensor never fits where its like was before (glibc before 2.38)
    "hugetlb": 1,  # huge pages where the kernel leaves the choice to programs
}
"""See https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html"""

MALLOC_TUNABLES = ":".join(f"glibc.malloc.{name}={value}" for name, value in TUNABLES.items())
ALLOCATOR_VARIABLE = "WHOLECLOTH_ALLOCATOR"
"""Environment variable; ``system`` leaves the allocator as it is."""


def reexec_with_malloc_settings(execute: Callable[[str, list[str], Mapping[str, str]], object] = os.execve) -> None:
    """Start this very command again with the settings, if it runs without them and nobody chose others."""
    if not sys.executable or sys.gettrace() is not None or not _glibc():
        return
    env = env_with_settings(os.environ)
    if env is not None:
        sys.stdout.flush()
        execute(sys.executable, [sys.executable, *sys.orig_argv[1:]], env)


def env_with_settings(given: Mapping[str, str]) -> dict[str, str] | None:
    """The environment with the settings, or None where they are there or somebody chose otherwise.

    A ``MALLOC_…`` variable or a ``glibc.malloc`` tunable is such a choice.
    """
    tunables = given.get("GLIBC_TUNABLES", "")
    chosen = (
        given.get(ALLOCATOR_VARIABLE) == "system"
        or "glibc.malloc." in tunables
        or any(name.startswith("MALLOC_") for name in given)
    )
    return (
        None
        if chosen
        else {**given, "GLIBC_TUNABLES": f"{tunables}:{MALLOC_TUNABLES}" if tunables else MALLOC_TUNABLES}
    )


def has_malloc_settings() -> bool:
    """Whether this process runs with the settings."""
    return MALLOC_TUNABLES in os.environ.get("GLIBC_TUNABLES", "")


def env_without_settings(given: Mapping[str, str]) -> dict[str, str]:
    """The environment without the settings, for a process whose frees are to be seen from outside."""
    tunables = given.get("GLIBC_TUNABLES", "").replace(MALLOC_TUNABLES, "").rstrip(":")
    return {
        **{name: value for name, value in given.items() if name != "GLIBC_TUNABLES"},
        **({"GLIBC_TUNABLES": tunables} if tunables else {}),
    }


def _glibc() -> bool:
    try:
        return sys.platform == "linux" and (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except ValueError:  # another libc does not know the name
        return False
