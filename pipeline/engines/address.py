"""The workers of a Dask scheduler that runs already, wherever it is: Kubernetes, dask-ssh, a cloud, a laptop.

Workers that lack something are passed over and left to others; the scheduler and its workers live on when the run ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.config import AddressConfig, TlsConfig
from pipeline.engines.dask.pool import pool_engine
from pipeline.errors import WorkerError
from pipeline.interfaces import DEFAULT_OPTIONS, Engine, EngineOptions

SILENCING_LEVEL = 50
"""Level of logging above which Dask says nothing: what becomes of the connection is said by the run."""
CONNECT_S = 30
"""Seconds in which the scheduler must answer."""


@contextmanager
def engine(workers: int, options: EngineOptions = DEFAULT_OPTIONS) -> Iterator[Engine]:
    """The workers at an address.

    Parameters
    ----------
    workers
        Does not apply: a worker has as many blocks in flight as it was started with threads.
    options
        Of these the address, and how long workers are waited for.

    Raises
    ------
    WorkerError
        No scheduler answers there, or not with these certificates.
    """
    from distributed.utils import silence_logging_cmgr

    config = options.address
    assert config is not None, "the config is refused without"
    options.notify(f"asking for the workers of {config.scheduler}, which has {CONNECT_S} s to answer")
    with silence_logging_cmgr(SILENCING_LEVEL), _connect(config) as client, pool_engine(client, options) as run:
        yield run


@contextmanager
def _connect(config: AddressConfig) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(config.scheduler, timeout=CONNECT_S, security=_security(config.tls), set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise WorkerError(
            f"execution.address.scheduler is {config.scheduler}, where no Dask scheduler answers "
            f"({_innermost_reason(error)}). Start one, or give "
            f"its address as it says it, "
            "with execution.address.tls where it is tls://."
        ) from error
    with client:
        yield client


def _security(tls: TlsConfig | None) -> Any:
    from distributed import Security

    if tls is None:
        return None
    return Security(
        tls_ca_file=str(tls.ca), tls_client_cert=str(tls.cert), tls_client_key=str(tls.key), require_encryption=True
    )


def _innermost_reason(error: BaseException) -> str:
    """The innermost reason, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
