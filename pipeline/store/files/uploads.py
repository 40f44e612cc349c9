"""Uploads in parts that a killed writer left on S3: nobody sees them, and everybody pays for them."""

from __future__ import annotations

import os
from typing import Any

from pipeline.runtime.optional_imports import require

_FORBIDDEN = ("AccessDenied", "NotImplemented", "MethodNotAllowed")
"""Answers of a storage that does not let us look, or has no such list; the upload itself may succeed all the same."""


def abort_uploads(scheme: str, bucket: str, key: str) -> int:
    """Abort what was begun of an object and never completed.

    Parameters
    ----------
    scheme
        ``s3``; other storage drops such parts by itself.
    bucket, key
        Of the object, which has one writer at a time.

    Returns
    -------
    int
        How many were aborted.

    Raises
    ------
    ExtraError
        The extra ``cloud`` is not installed.
    """
    if scheme != "s3":
        return 0
    require("boto3", "cloud", "An upload in parts to S3")
    from botocore.exceptions import ClientError

    client = _client()
    try:
        begun = client.list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads", [])
    except ClientError as error:
        if error.response["Error"]["Code"] in _FORBIDDEN:
            return 0
        raise
    own = [upload for upload in begun if upload["Key"] == key]
    for upload in own:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])
    return len(own)


def _client() -> Any:
    import boto3

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
    return boto3.client("s3", endpoint_url=endpoint)
