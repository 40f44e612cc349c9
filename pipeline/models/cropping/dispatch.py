"""Torch's dispatch mode, without its compiler."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode


class Dispatch(TorchDispatchMode):
    """A mode for networks that nothing compiles.

    Torch would import its compiler at the first operation, which takes seconds, to keep the mode out of what that
    compiles.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
