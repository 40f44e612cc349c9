"""The pool of Dask workers behind every engine out of process: connection, registry, retries."""
