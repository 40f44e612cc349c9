"""``wholecloth inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import AsJson, ConfigPath, Overrides, print_rows


def inspect(
    config: ConfigPath,
    overrides: Overrides = None,
    as_json: AsJson = False,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Draw the halo profile.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the places of the raster that are looked at.")] = 0,
) -> None:
    """Explain the network: costs, stride, radius, verdict, layers to blame, and what each halo would leave and cost."""
    from pipeline.runtime.collection import without_collection

    with without_collection():
        from pipeline.config.load import load_config
        from pipeline.errors import ModelError
        from pipeline.inspect.report.report import inspect_network
        from pipeline.inspect.report.text import rows
        from pipeline.planning.prepare import prepare_job
        from pipeline.planning.reference_image import compare_reference_image
        from pipeline.planning.subject import subject

    job = prepare_job(load_config(config, overrides or []), fresh=True)
    report = inspect_network(subject(job), seed)
    table, document = rows(report), report.as_dict()
    comparison = compare_reference_image(job)
    if comparison is not None:
        table.append(("test image", comparison.text))
        document["test_image"] = comparison.as_dict()
    if png is not None:
        from pipeline.inspect.report.plot import draw_halo_profile

        table.append(
            (
                "picture",
                str(
                    draw_halo_profile(
                        report, png, f"{config.stem}: {report.locality.verdict}, stride {report.locality.stride} px"
                    )
                ),
            )
        )
    print_rows(table, document if as_json else None)
    if comparison is not None and comparison.passed is False:
        raise ModelError(f"The test image of {job.config.model.path} does not come out: {comparison.text}.")
