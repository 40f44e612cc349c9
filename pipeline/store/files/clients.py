"""Object storage: its clients, how long they are patient, whose credentials they bear, and its errors in our words."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.errors import StoreError, Unfinished
from pipeline.redact import mask_urls
from pipeline.runtime.optional_imports import require

RETRIES = 200
"""Times that a request is made again at the most, after an answer of 5xx, a timeout or a line that broke: more than
there is patience for."""
FIRST_PAUSE_S, MAX_PAUSE_S, BACKOFF_BASE = 0.2, 10.0, 3
"""Seconds between two tries, at first and at the most; each is drawn at random below so many times the one before."""
RETRY_TIMEOUT_S = 120.0
"""Seconds after which a request is not made again."""
REQUEST_S = 60.0
"""Seconds that one try may take."""
_STATUS = re.compile(r"status code: (\d{3})")
_RETRYABLE = (408, 425, 429)
"""Answers below 500 that mean another time, not another request."""
_NO_CREDENTIALS = ("169.254.169.254", "without LOCATION")
"""What is said where neither environment nor profile holds credentials and the machine has no role, and where a bucket
is in another region."""
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


@functools.lru_cache(maxsize=16)
def client(scheme: str, bucket: str) -> Any:
    """The client of a bucket, opened once per process; safe from many threads.

    Raises
    ------
    ExtraError
        The extra ``cloud`` is not installed.
    StoreError
        What the environment says of object storage cannot be used.
    """
    kind = {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore"}[scheme]
    stores = need_obstore("obstore.store")
    from obstore.exceptions import BaseError

    try:
        return getattr(stores, kind)(
            bucket, client_options=_options(), retry_config=_retry_config(), **_credentials(scheme)
        )
    except (BaseError, ValueError) as error:
        raise StoreError(
            f"{scheme}://{bucket} cannot be used ({first_error_line(error)}). Mend what the environment says of it."
        ) from error


def need_obstore(module: str = "obstore") -> ModuleType:
    """The library, or a part of it; raises ExtraError where it is not installed."""
    return require(module, "cloud", "A store on object storage")


@contextmanager
def translate_errors(place: object) -> Iterator[None]:
    """What object storage raises, in our words; that something is not there, or there already, is left for the caller.

    Raises
    ------
    Unfinished
        It is away, and was for longer than we are patient.
    StoreError
        It refuses us.
    """
    from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except (FileNotFoundError, AlreadyExistsError):
        raise
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise _access_error(place, error) from error
    except BaseError as error:
        status = int((_STATUS.search(str(error)) or [0, 0])[1])
        if status == 404:  # listings say no more of a bucket that is not there
            raise FileNotFoundError(first_error_line(error)) from error
        if (300 <= status < 500 and status not in _RETRYABLE) or any(word in str(error) for word in _NO_CREDENTIALS):
            raise _access_error(place, error) from error
        raise Unfinished(
            f"{place} is away ({first_error_line(error)}). What is committed is kept; run the same command "
            f"again when it is back."
        ) from error


def first_error_line(error: BaseException) -> str:
    """The first line of what a library says, without what others must not see and without the answer's XML."""
    message = str(error).strip()
    return mask_urls(message.splitlines()[0].partition(": <")[0])[:240] if message else type(error).__name__


def _access_error(place: object, error: BaseException) -> StoreError:
    return StoreError(
        f"{place} refuses us ({first_error_line(error)}). Credentials come from the environment, a profile "
        f"or the machine's role, the bucket's "
        f"place from AWS_REGION and "
        "AWS_ENDPOINT_URL; give ones by which we may list, read, write and delete there. What is committed is kept."
    )


def _options() -> dict[str, Any]:
    endpoints = {name: os.environ[name] for name in _ENDPOINTS if os.environ.get(name)}
    for name, url in endpoints.items():
        if not re.fullmatch(r"https?://[^/@\s]+(/\S*)?", url):  # obstore does not survive it
            raise StoreError(
                f"{name} is {mask_urls(url)}, which is no endpoint. Write https://host:port, without a name "
                f"or a password."
            )
    allow_http = any(url.startswith("http://") for url in endpoints.values())
    return {"timeout": timedelta(seconds=REQUEST_S), "connect_timeout": timedelta(seconds=5), "allow_http": allow_http}


def _retry_config() -> dict[str, Any]:
    backoff = {
        "init_backoff": timedelta(seconds=FIRST_PAUSE_S),
        "max_backoff": timedelta(seconds=MAX_PAUSE_S),
        "base": BACKOFF_BASE,
    }
    return {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_TIMEOUT_S), "backoff": backoff}


def _credentials(scheme: str) -> dict[str, Any]:
    """What obstore does not find by itself.

    A profile of AWS, and by the names that GDAL has for them buckets that are open to all, and Azure's account.
    """
    if scheme != "s3":
        account = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME") or os.environ.get("AZURE_STORAGE_ACCOUNT")
        return {"account_name": account} if scheme == "az" and account else {}
    if os.environ.get("AWS_NO_SIGN_REQUEST", "").upper() in ("YES", "TRUE", "ON", "1"):
        return {"skip_signature": True}
    if "AWS_ACCESS_KEY_ID" in os.environ or "AWS_SKIP_SIGNATURE" in os.environ or not _has_profile():
        return {}
    require("boto3", "cloud", "A profile of AWS")
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return {"credential_provider": Boto3CredentialProvider()}
    except BotoCoreError as error:
        raise StoreError(
            f"The profile of AWS cannot be used ({first_error_line(error)}). Mend AWS_PROFILE or the files "
            f"below ~/.aws."
        ) from error
    except ValueError:  # the files hold no credentials; the machine's role may
        return {}


def _has_profile() -> bool:
    files = (("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), ("AWS_CONFIG_FILE", "~/.aws/config"))
    profile = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    return bool(profile) or any(Path(os.environ.get(name, place)).expanduser().is_file() for name, place in files)
