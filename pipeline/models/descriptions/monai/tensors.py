"""Which tensors of a bundle are the image and its scores, and whether they are those of an image."""

from __future__ import annotations

from pipeline.errors import ModelError
from pipeline.models.descriptions.axes import SEVERAL_INPUTS_ADVICE
from pipeline.models.descriptions.monai.metadata import DATA_FORMAT, TensorPart
from pipeline.models.descriptions.monai.read import Bundle

CORRECTION = "Mend the metadata, or give the file of weights itself as model.path."


def bundle_image(bundle: Bundle) -> tuple[str, TensorPart]:
    """Name and format of the one image that the network takes.

    Raises
    ------
    ModelError
        It takes several, or volumes, or the metadata do not say what; or metadata and network contradict each other.
    """
    name, inputs = bundle.package.name, bundle.metadata.network_data_format.inputs
    if len(inputs) != 1:
        raise ModelError(
            f"{name} describes a network of {len(inputs)} inputs ({', '.join(inputs)}), {SEVERAL_INPUTS_ADVICE}"
        )
    ((key, image),) = inputs.items()
    _require_plane(name, f"inputs.{key}", image)
    if bundle.network is not None and bundle.network.number("spatial_dims") not in (None, 2):
        raise _volume_error(name, f"spatial_dims {bundle.network.number('spatial_dims')} of {bundle.network.part}")
    _require_same(bundle, f"inputs.{key}", image, "in_channels", "bands")
    return key, image


def bundle_scores(bundle: Bundle, key: str) -> tuple[str, TensorPart] | None:
    """Name and format of the output with a score per class.

    Parameters
    ----------
    bundle
        The bundle.
    key
        ``model.output.key`` of the config: ``auto``, a name, or a place from 0.

    Returns
    -------
    tuple or None
        None where there are several outputs, and the key is none of the metadata's.

    Raises
    ------
    ModelError
        There are several and no key, or the network returns one answer for an image; or metadata and network
        contradict each other.
    """
    name, outputs = bundle.package.name, bundle.metadata.network_data_format.outputs
    if key == "auto" and len(outputs) > 1:
        raise ModelError(
            f"{name} describes {len(outputs)} outputs ({', '.join(outputs)}). Set model.output.key to the name or the "
            f"place of the one with the classes, as the network returns it."
        )
    if len(outputs) > 1 and key not in outputs:
        return None
    chosen = key if key in outputs else next(iter(outputs))
    scores = outputs[chosen]
    if scores.spatial_shape is not None:
        if len(scores.sizes) == 3 and scores.sizes[2] != 1:
            raise _volume_error(name, f"spatial_shape {_shape(scores)} of outputs.{chosen}")
        if len(scores.sizes) != 2 or set(scores.sizes) == {1}:
            raise ModelError(
                f"{name}: {DATA_FORMAT}.outputs.{chosen} has spatial_shape {_shape(scores)}, so that the network "
                f"returns one answer for an image, and no score for each pixel. Take a network of segmentation."
            )
    if len(outputs) == 1:
        _require_same(bundle, f"outputs.{chosen}", scores, "out_channels", "channels")
    return chosen, scores


def square_size(tensor: TensorPart) -> int | None:
    """The only length of rows and cols, px; None where they vary, or differ."""
    return tensor.sizes[0] if len(set(tensor.sizes)) == 1 else None


def _require_plane(name: str, place: str, tensor: TensorPart) -> None:
    if tensor.spatial_shape is None or not tensor.spatial_shape:
        raise ModelError(
            f"{name} lacks {DATA_FORMAT}.{place}.spatial_shape, so that it may be a network of volumes. {CORRECTION}"
        )
    if len(tensor.spatial_shape) == 3:
        raise _volume_error(name, f"spatial_shape {_shape(tensor)} of {place}")
    if len(tensor.spatial_shape) != 2:
        raise ModelError(
            f"{name}: {DATA_FORMAT}.{place} has spatial_shape {_shape(tensor)}, and rows and cols are needed. Take a "
            f"network of images, with channels first."
        )


def _require_same(bundle: Bundle, place: str, tensor: TensorPart, argument: str, what: str) -> None:
    built = None if bundle.network is None else bundle.network.number(argument)
    if None not in (built, tensor.num_channels) and built != tensor.num_channels:
        raise ModelError(
            f"{bundle.package.name} states {tensor.num_channels} {what} ({DATA_FORMAT}.{place}.num_channels), and "
            f"{bundle.config_file} builds a network of {built} ({argument}). {CORRECTION}"
        )


def _volume_error(name: str, why: str) -> ModelError:
    return ModelError(
        f"{name} describes a network of three dimensions ({why}), and rasters are images. Take a network of two."
    )


def _shape(tensor: TensorPart) -> str:
    return " × ".join(map(str, tensor.spatial_shape or ())) or "of no axes"
