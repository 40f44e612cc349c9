"""Torch's dispatch mode, without its compiler."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode


class Dispatch(TorchDispatchMode):
    """A mode for networks that nothing compiles.

    Torch would import its compiler at the first operation, which takes seconds, to keep the mode out of what that
    compiles.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it open

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
