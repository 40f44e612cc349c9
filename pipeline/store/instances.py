"""The label image ``labels/instances`` of a store: its arrays, and whether what stands there is whole.

Its group names its levels once all of them are committed, and the group ``labels`` names it from then on. A note below
its array says which objects its commit records belong to. Both go before anything that they speak of changes.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from pipeline.locations import Place
from pipeline.store import hierarchy, metadata
from pipeline.store.check_arrays import array_errors
from pipeline.store.files import files_at
from pipeline.store.files.built_nodes import put_nodes
from pipeline.store.label_groups import (
    LABELS,
    has_node,
    label_names,
    make_group,
    node_attributes,
    open_node,
    sync_nodes,
    write_label_names,
)
from pipeline.store.layers import LABEL_LAYERS
from pipeline.store.ledger import Ledger
from pipeline.store.lifecycle import META_KEY, clear_open_arrays, read_store_meta, restate
from pipeline.store.spec import StoreSpec

INSTANCES_GROUP = LABEL_LAYERS["instances"]
_NAME = INSTANCES_GROUP.rpartition("/")[2]
_NOTE = f"{INSTANCES_GROUP}/0/ledger/objects.json"
"""Holds the fingerprint of the objects that the records belong to."""


def published_instances(store: Place) -> dict[str, Any] | None:
    """What a whole label image says of its objects: their ``fingerprint``, and what they were taken by; else None."""
    document = node_attributes(store, INSTANCES_GROUP).get(META_KEY)
    return document if isinstance(document, dict) else None


def is_foreign_label(store: Place) -> bool:
    """Whether somebody else's label image has the place."""
    return bool(node_attributes(store, INSTANCES_GROUP)) and published_instances(store) is None


def recorded_instances(store: Place) -> str | None:
    """The fingerprint of the objects that commit records belong to; None where they belong to nothing."""
    try:
        return str(json.loads(files_at(store).get(_NOTE) or b"{}")["fingerprint"])
    except (ValueError, KeyError, TypeError):
        return None


def hide_instances(store: Place) -> None:
    """Have the label image made anew, and no reader take it for whole: what it is made of is about to change."""
    files_at(store).delete(_NOTE)
    if published_instances(store) is None:
        return
    write_label_names(store, [name for name in label_names(store) if name != _NAME])
    open_node(store, INSTANCES_GROUP).attrs.put({})
    sync_nodes(store, (LABELS, INSTANCES_GROUP))
    _restate_if_complete(store)


def begin_instances(store: Place, spec: StoreSpec, fingerprint: str) -> None:
    """Make the arrays of the label image, empty of records; cut off anywhere, it is begun anew.

    Parameters
    ----------
    store, spec
        A store that is held, and its spec.
    fingerprint
        Of the objects.
    """
    hide_instances(store)
    for level in range(spec.levels):
        ledger = Ledger(store, level, "instances")
        for block in list(ledger.listed()):
            ledger.drop(block)
    for folder in (LABELS, INSTANCES_GROUP):
        if not has_node(store, folder):
            put_nodes(store, partial(make_group, folder, spec.zarr_format))
    open_node(store, INSTANCES_GROUP).attrs.put({})
    for level in range(spec.levels):
        hierarchy.create_layer(store, spec.instances, level, "instances")
    sync_nodes(store, (LABELS, INSTANCES_GROUP, *(f"{INSTANCES_GROUP}/{level}" for level in range(spec.levels))))
    clear_open_arrays()
    files_at(store).put(_NOTE, json.dumps({"fingerprint": fingerprint}).encode())


def has_intact_arrays(store: Place, spec: StoreSpec) -> bool:
    """Whether the arrays of all levels are as they should be."""
    return not any(True for level in range(spec.levels) for _ in array_errors(store, spec.instances, level))


def publish_instances(store: Place, spec: StoreSpec, document: dict[str, Any]) -> None:
    """Name the label image to readers, and bring the consolidated metadata of the store up to date.

    Parameters
    ----------
    store, spec
        A store that is held, all of whose ids are committed.
    document
        As `published_instances` gives it.
    """
    open_node(store, INSTANCES_GROUP).attrs.put({**metadata.label_attributes(spec.instances), META_KEY: document})
    sync_nodes(store, (INSTANCES_GROUP,))
    write_label_names(store, list(dict.fromkeys([*label_names(store), _NAME])))
    sync_nodes(store, (LABELS,))
    _restate_if_complete(store)


def _restate_if_complete(store: Place) -> None:
    meta = read_store_meta(store)
    if meta.get("complete"):
        restate(store, meta)
