"""How many files this process may hold open."""

from __future__ import annotations

from contextlib import suppress

OPEN_FILES_LIMITS = (65_536, 10_240)
"""Asked for at the most: some systems let a process have a thousand million, and what loops over them would not end.
macOS calls the limit infinite, and refuses more than it lets a process have, which is the second number at least."""


def raise_open_files_limit() -> None:
    """Take as many as the system lets this process have: the scheduler of a cluster holds four for each worker.

    Where that cannot be, the limit stays as it is; so it does on Windows, which has none.
    """
    with suppress(ImportError):
        import resource

        for most in OPEN_FILES_LIMITS:
            with suppress(OSError, ValueError):
                soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
                if soft != resource.RLIM_INFINITY and soft < wanted:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                return
