from collections.abc import Iterator

import pytest

from tests import storage
from tests.storage import Storage


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """One for all tests of a worker."""
    with storage.served(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def s3(server: Storage) -> Iterator[Storage]:
    """Object storage that this process reaches, with nothing asked of it so far and no fault."""
    server.forget()
    with storage.reached(server):
        yield server
    server.forget()
