"""Disk that a job needs at the least, with its exports."""

from __future__ import annotations

from pipeline.exports import export_bytes_per_pixel
from pipeline.locations import Remote
from pipeline.planning.describe import describe
from pipeline.planning.job import Job
from pipeline.runtime.disk import check_disk

WITH_OVERVIEWS = 4 / 3
"""Pixels of all levels per pixel of the full resolution."""


def check_job_disk(job: Job) -> None:
    """Refuse a job whose store and exports cannot fit; raises PlanError."""
    document = describe(job)
    pixels: int = document["area"]["pixels"] if document["area"] else job.spec.grid.height * job.spec.grid.width
    exports = round(pixels * export_bytes_per_pixel(job.path, job.spec, job.meta()) * WITH_OVERVIEWS)
    on_disk: int = 0 if isinstance(job.path, Remote) else document["output_bytes_before_compression"]
    picture = 0 if isinstance(job.path, Remote) or not job.spec.picture else job.spec.picture.size(job.spec.grid)
    check_disk(job.path, on_disk + picture + exports)
