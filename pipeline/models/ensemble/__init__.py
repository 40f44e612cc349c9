"""Several networks as one: each sees the same tile, and the mean of their probabilities is the answer."""

from __future__ import annotations

from pipeline.models.ensemble.constraints import joint_constraints
from pipeline.models.ensemble.ensemble import Ensemble, members_of
from pipeline.models.ensemble.load import load_ensemble
from pipeline.models.ensemble.member import EnsembleMember

__all__ = ["Ensemble", "EnsembleMember", "joint_constraints", "load_ensemble", "members_of"]
