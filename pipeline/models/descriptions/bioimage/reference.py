"""The test image of a model: files, steps and what is allowed."""

from __future__ import annotations

from functools import partial

from pipeline.models.descriptions.bioimage.description import DescribedTensor, FileReference, ModelDescription
from pipeline.models.descriptions.bioimage.process_image import process_image
from pipeline.models.descriptions.bioimage.tensors import image_input, scores_output
from pipeline.models.descriptions.bioimage.weights import choose_weights, verified_file
from pipeline.models.descriptions.description import ReferenceCase, ReferenceTensor, Tolerance


def reference_case(description: ModelDescription, kind: str, key: str) -> ReferenceCase | None:
    """The test image of the output ``key``; None where there is none.

    Raises
    ------
    ModelError
        A file of the test is missing or was changed.
    """
    image, (scores, _) = image_input(description), scores_output(description, key)
    if scores is None or image.test is None or scores.test is None:
        return None
    return ReferenceCase(
        image=_tensor(description, image, image.test),
        expected=_tensor(description, scores, scores.test),
        tolerance=_tolerance(description, scores, choose_weights(kind, description).format),
    )


def _tensor(description: ModelDescription, tensor: DescribedTensor, file: FileReference) -> ReferenceTensor:
    path = verified_file(description, file)
    return ReferenceTensor(name=tensor.name, letters=tensor.letters, path=path, process=partial(process_image, tensor))


def _tolerance(description: ModelDescription, scores: DescribedTensor, weights_format: str) -> Tolerance:
    """The first that holds for a tensor and a format; else 1e-3."""
    fitting = (
        one
        for one in description.tolerances
        if (not one.output or scores.name in one.output) and (not one.formats or weights_format in one.formats)
    )
    return next(fitting, Tolerance())
