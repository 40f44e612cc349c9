"""The networks of a model: each resolved by itself, then put together as one that returns probabilities.

One network whose classes are added up (``model.output.map``) is such a model, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.config import InputConfig, ModelConfig, ModelOutputConfig
from pipeline.config.members import MemberConfig
from pipeline.config.model import Member
from pipeline.errors import ConfigError
from pipeline.interfaces import Locality
from pipeline.models.ensemble import Ensemble, EnsembleMember
from pipeline.models.loaded import Loaded
from pipeline.planning.activation import choose_activation, remarks, require_logits
from pipeline.planning.channels import require_stated_channels
from pipeline.planning.class_groups import channel_groups, mapped_classes
from pipeline.planning.joint_normalisation import joint_normalisation
from pipeline.planning.resolved_model import ResolvedModel

KEY_OF_ENTRY = re.compile(rf"(?<![\w./-])model\.(?=({'|'.join(MemberConfig.model_fields)})\b)")
"""Where a message names a key that an entry of the list may have."""
Look = Callable[[Loaded, int | None], Locality]
"""Measures a network, given its training size, px, where that is known."""


def is_combined(model: ModelConfig) -> bool:
    """Whether a model is several networks, or one whose classes are added up."""
    return bool(model.members) or model.output.map is not None


def resolve_members(model: ModelConfig, resolve_one: Callable[[ModelConfig], ResolvedModel]) -> ResolvedModel:
    """Resolve every network by itself, and what they say together.

    Parameters
    ----------
    model
        Several networks, or one with a map.
    resolve_one
        Resolves a network alone.

    Raises
    ------
    ConfigError, ModelError
        As for one network; or they differ in what all must share.
    """
    listed = model.members or (Member(model=model),)
    resolved = [_resolve_entry(k, len(listed), member.model, resolve_one) for k, member in enumerate(listed)]
    normalisation, first_bands = joint_normalisation(resolved)
    classes = model.classes or _stated_classes(resolved)
    if model.output.map is not None:
        classes = mapped_classes(model.output.map, model.classes)
    members = tuple(
        replace(member, model=_with_channels(one), first_band=first, bands=len(one.normalisation.scale))
        for member, one, first in zip(listed, resolved, first_bands, strict=True)
    )
    update: dict[str, Any] = {"path": None, "output": _joint_output(resolved), "classes": classes}
    if model.output.map is not None and classes is not None:  # in the order of the class table
        order = {row.name: model.output.map[row.name] for row in classes}
        members = tuple(replace(member, model=_with_output(member.model, map=order)) for member in members)
        update["channels"] = None  # they are of the networks, and what is returned are classes of the map
    combined = model.with_members(members).model_copy(update=update)
    return replace(resolved[0], model=combined, normalisation=normalisation, classes=classes)


def _resolve_entry(
    place: int, count: int, model: ModelConfig, resolve_one: Callable[[ModelConfig], ResolvedModel]
) -> ResolvedModel:
    """One network alone; a message of one of several names the keys of its entry, such as ``model.path.1.kind``."""
    try:
        return resolve_one(_alone(model))
    except ConfigError as error:
        if count == 1:
            raise
        raise ConfigError(KEY_OF_ENTRY.sub(f"model.path.{place}.", str(error))) from error


def settle_members(
    resolved: ResolvedModel,
    network: Loaded,
    look: Look,
    stored: Mapping[str, Any] | None,
    *,
    has_classes: bool,
) -> tuple[ResolvedModel, Loaded]:
    """Look at each network, and decide what its numbers become; a network alone stays as it is.

    Parameters
    ----------
    resolved
        From `resolve_members`.
    network
        As it was loaded.
    look
        Measures one of them.
    stored
        Fingerprint of the store, or of the frozen plan, that is gone on with.
    has_classes
        Whether channels mean classes.

    Raises
    ------
    ConfigError, ModelError
        As `choose_activation`; or a map names channels that a network does not have.
    """
    if not isinstance(network, Ensemble):
        return resolved, network
    if not has_classes and any(member.model.output.map is not None for member in resolved.model.members):
        raise ConfigError(
            "model.output.map adds up probabilities of classes, and output.layers has no mask. Leave map out, or add "
            "mask to output.layers."
        )
    pairs = list(zip(resolved.model.members, network.members, strict=True))
    settled = [
        _settle(member, loaded, look, _stored_activation(stored, number, len(pairs)), has_classes)
        for number, (member, loaded) in enumerate(pairs, 1)
    ]
    model = resolved.model.with_members(tuple(member for member, _ in settled))
    return replace(resolved, model=model), replace(network, members=tuple(loaded for _, loaded in settled))


def require_as_loaded(resolved: ResolvedModel, network: object) -> None:
    """Raise ConfigError where a config asks otherwise of networks that are loaded: they hold what they become."""
    if not isinstance(network, Ensemble):
        return
    outputs = [member.model.output for member in resolved.model.members]
    differs = len(outputs) != len(network.members) or any(
        output.temperature != member.temperature or output.activation not in ("auto", member.activation)
        for output, member in zip(outputs, network.members, strict=False)
    )
    if differs or len(resolved.normalisation.scale) != network.bands:
        raise ConfigError(
            "Activation and temperature of several networks, or of one whose classes are added up "
            "(model.output.map), are not swept: each becomes probabilities before they are put together. Change them "
            "in the config, and preview it again."
        )


def with_common_sections(model: ModelConfig, members: tuple[Member, ...]) -> ModelConfig:
    """A model with members as they were described, and what all of them are said to take."""
    sections = [member.model.input for member in members]
    shared = {} if model.input is None else {name: getattr(model.input, name) for name in model.input.model_fields_set}
    values = dict(shared)
    for name in InputConfig.model_fields:
        given = [getattr(one, name) for one in sections if one is not None and name in one.model_fields_set]
        if len(given) == len(members) and all(value == given[0] for value in given):
            values[name] = given[0]
    channels = [member.model.channels for member in members]
    update: dict[str, Any] = {"input": InputConfig(**values)} if values != shared else {}
    if model.channels is None and channels[0] is not None and all(names == channels[0] for names in channels):
        update["channels"] = channels[0]
    return model.with_members(members).model_copy(update=update)


def _settle(
    member: Member, loaded: EnsembleMember, look: Look, stored: Mapping[str, Any] | None, has_classes: bool
) -> tuple[Member, EnsembleMember]:
    output, trained = member.model.output, member.model.input.size if member.model.input else None
    locality = look(loaded.network, trained)
    activation = choose_activation(output, locality, stored, has_classes=has_classes)
    require_logits(output.temperature, activation, loaded.name)
    require_stated_channels(member.model, locality.classes)
    groups = channel_groups(output.map, member.model.channels, locality.classes, activation)
    settled = replace(
        loaded,
        network=replace(locality, margin=None).apply_to(loaded.network),
        activation=activation,
        groups=groups,
        locality=replace(locality, remarks=tuple(remarks(output, locality, activation, has_classes=has_classes))),
    )
    return replace(member, model=_with_output(member.model, activation=activation), groups=groups), settled


def _stored_activation(stored: Mapping[str, Any] | None, number: int, count: int) -> dict[str, Any] | None:
    """The activation that a network of a store had, under the key of a network alone."""
    key = "model.output.activation" if count == 1 else f"model.members.{number}.activation"
    return {"model.output.activation": stored[key]} if stored and key in stored else None


def _alone(model: ModelConfig) -> ModelConfig:
    """A network whose classes are its own: with a map, those of the config are sums."""
    return model if model.output.map is None else model.model_copy(update={"classes": None})


def _with_channels(resolved: ResolvedModel) -> ModelConfig:
    """The model with names of its channels, where its file says them."""
    if resolved.model.channels is not None or resolved.classes is None:
        return resolved.model
    return resolved.model.model_copy(update={"channels": [row.name for row in resolved.classes]})


def _with_output(model: ModelConfig, **values: Any) -> ModelConfig:
    return model.model_copy(update={"output": model.output.model_copy(update=values)})


def _joint_output(resolved: Sequence[ResolvedModel]) -> ModelOutputConfig:
    """How the mean of probabilities is decoded."""
    (first, *others) = (one.model.output for one in resolved)
    for number, other in enumerate(others, 2):
        for name in ("multilabel", "threshold"):
            if getattr(other, name) != getattr(first, name):
                raise ConfigError(
                    f"model.path lists networks of which the first says {name} {getattr(first, name)} and network "
                    f"{number} says {getattr(other, name)}, but one mask is made of all. Give model.output.{name}."
                )
    return ModelOutputConfig(activation="none", multilabel=first.multilabel, threshold=first.threshold)


def _stated_classes(resolved: Sequence[ResolvedModel]) -> Any:
    """The classes that files of the networks state; None where none does."""
    stated = [(number, one.classes) for number, one in enumerate(resolved, 1) if one.classes is not None]
    if not stated:
        return None
    (first, classes), *others = stated
    for number, other in others:
        if [row.name for row in other] != [row.name for row in classes]:
            raise ConfigError(
                f"model.path lists networks of other classes: network {first} states "
                f"{', '.join(row.name for row in classes)}, and network {number} states "
                f"{', '.join(row.name for row in other)}. Give networks with the same classes in the same order; where "
                f"they are the same under other names, list them in model.classes."
            )
    return classes
