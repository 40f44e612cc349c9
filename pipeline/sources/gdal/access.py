"""How GDAL reaches the files of a catalogue: under which drivers, and under a signature that is made anew in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import rasterio
from rasterio.io import DatasetReader

from pipeline.errors import SourceError
from pipeline.sources.gdal.file_identity import identity_of
from pipeline.sources.gdal.opening import open_dataset
from pipeline.sources.gdal.options import Settings, gdal_env
from pipeline.sources.gdal.refusals import refusal_of
from pipeline.sources.gdal.signer import Signed, Signer

IMAGE_DRIVERS = ("GTiff", "COG", "JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID", "JP2Lura", "PNG", "JPEG", "WEBP")
"""Formats that name no other file: what a server sends under any name must not lead to files of this machine."""
UNCACHED: Settings = (("CPL_VSIL_CURL_NON_CACHED", "/vsicurl/"),)
"""GDAL otherwise remembers that a file was refused, whatever signature comes next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDataset:
    """A file that is open, and the signature that it was opened under."""

    dataset: DatasetReader
    signed: Signed


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAccess:
    """How a file that a catalogue names is opened. Pickles as the name of who signs."""

    signer: Signer | None = None
    """None where files are open to all, or to GDAL's own credentials."""
    drivers: tuple[str, ...] = IMAGE_DRIVERS

    def signed(self, href: str) -> Signed:
        """The file's address as it is asked for now."""
        return Signed(url=href) if self.signer is None else self.signer.signed(href)

    def open(self, href: str) -> SignedDataset:
        """Open a file. Raises SourceError, which names the file without its signature."""
        signed = self.signed(href)
        with self.env(signed):
            return SignedDataset(dataset=open_dataset(signed.url, href, self.drivers), signed=signed)

    def open_patiently(self, href: str) -> SignedDataset:
        """Open a file, and try once more where the server says that this may help. Raises SourceError."""
        signed = self.signed(href)
        try:
            return self.open(href)
        except SourceError:
            if not self.may_succeed_now(href, signed):
                raise
        return self.open(href)

    def identity(self, href: str, files: list[str]) -> dict[str, Any]:
        """What makes the file this file; asked once more under a new signature where the server refuses this one."""
        signed = self.signed(href)
        identity = identity_of(href, files, signed.url, signed.headers)
        if set(identity) > {"path"} or not self.may_succeed_now(href, signed):
            return identity
        signed = self.signed(href)
        return identity_of(href, files, signed.url, signed.headers)

    @contextmanager
    def env(self, signed: Signed) -> Iterator[None]:
        """GDAL told what goes with a signature, in this thread."""
        headers = "\r\n".join(f"{name}: {value}" for name, value in signed.headers)
        with gdal_env(UNCACHED):
            if not headers:
                yield
                return
            with rasterio.Env(GDAL_HTTP_HEADERS=headers):
                yield

    def may_succeed_now(self, href: str, signed: Signed) -> bool:
        """Whether a file that could not be read may be read if it is tried again at once.

        The server is asked why: a signature that it refuses is made anew, and a pause that it asks for is kept.
        """
        refusal = refusal_of(signed.url, signed.headers)
        if refusal.unauthorised and self.signer is not None:
            self.signer.renew(href, signed)
            return True
        time.sleep(refusal.pause_s)
        return refusal.answers or refusal.pause_s > 0


@contextmanager
def look_at_file(path: str, access: FileAccess | None) -> Iterator[DatasetReader]:
    """A raster while it is looked at. Raises SourceError."""
    if access is None:
        with open_dataset(path) as dataset:
            yield dataset
        return
    opened = access.open_patiently(path)
    with access.env(opened.signed), opened.dataset as dataset:
        yield dataset
