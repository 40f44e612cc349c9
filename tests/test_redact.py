import pytest

from pipeline.redact import mask_urls, redacted, redacted_document

AMAZON = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F2026&X-Amz-Date=2026"
    "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=SECRET"
)
AZURE = "sv=2024-11-04&st=2026-01-01&se=SECRET&sr=b&sp=r&spr=https&sig=SECRET"


@pytest.mark.parametrize(
    ("signed", "bare"),
    [
        (f"https://b.s3.amazonaws.com/a.tif?{AMAZON}", "https://b.s3.amazonaws.com/a.tif"),
        (f"https://b.s3.amazonaws.com/a.tif?versionId=7&{AMAZON}", "https://b.s3.amazonaws.com/a.tif?versionId=7"),
        (f"https://h/a.tif?{AMAZON}&versionId=7", "https://h/a.tif?versionId=7"),
        (f"https://x.blob.core.windows.net/c/a.tif?{AZURE}", "https://x.blob.core.windows.net/c/a.tif"),
        ("https://h/a.tif?Expires=SECRET&Signature=SECRET&Key-Pair-Id=K", "https://h/a.tif"),
        ("https://h/a.tif?AWSAccessKeyId=AKIA&Signature=SECRET&Expires=1", "https://h/a.tif"),
        ("https://me:SECRET@h/a.tif?layer=2", "https://h/a.tif?layer=2"),
        ("https://h/wms?access_token=SECRET&sr=2&api_key=SECRET&key=SECRET", "https://h/wms?sr=2"),
        ("/vsicurl/https://h/a.tif?sig=SECRET", "/vsicurl/https://h/a.tif"),
        ("/vsizip/{/vsicurl/https://h/a.zip?sig=SECRET}/a.tif", "/vsizip/{/vsicurl/https://h/a.zip}/a.tif"),
        (
            "/vsicurl?header.Authorization=SECRET&url=https%3A%2F%2Fh%2Fa.tif%3Fsig%3DSECRET%26layer%3D2",
            "/vsicurl?url=https%3A%2F%2Fh%2Fa.tif%3Flayer%3D2",
        ),
    ],
)
def test_two_signatures_of_one_object_are_one_name_without_either(signed: str, bare: str) -> None:
    names = {redacted(signed.replace("SECRET", secret)) for secret in ("tellNobody1", "tellNobody2%2F")}
    assert names == {bare}
    assert "tellNobody" not in mask_urls(signed.replace("SECRET", "tellNobody1"))


@pytest.mark.parametrize(
    "text",
    [
        "a.tif",
        "what? s=1",
        "https://h/a.tif?layer=2&style=x",
        "https://h/wms?sr=4326&st=2",
        "/data/a?key=b",
        "s3://b/a.tif",
        "mean=3, std=2",
        "sig=1",
    ],
)
def test_what_holds_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_documents_are_cleaned_through_and_through() -> None:
    said = {"a": [{"b": "https://u:p@h/x?sig=1"}, 3, None], "c": ("https://h/x?token=1 is gone.", True)}
    assert redacted_document(said) == {"a": [{"b": "https://h/x"}, 3, None], "c": ["https://h/x is gone.", True]}
