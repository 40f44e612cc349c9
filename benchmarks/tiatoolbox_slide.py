"""TIAToolbox's engine on a slide, by the peer's own Python: `benchmarks.slides_peers` starts it.

Its model computes what the config of Wholecloth says: pixels / 255, the network, the likeliest class.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from benchmarks.performance.child import cores, serve

WINDOW = 512
"""Of a tile, px: what the engine's own networks for tissue take."""
BATCH = 8


def declare_operators() -> None:
    """Let torchvision be imported beside a torch that it was not built for; nothing here calls its operators."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        globals()["_library"] = library  # what it defines goes with it


def run(orders: dict[str, Any]) -> dict[str, Any]:
    """Segment all of the slide, without a mask of tissue and without overlap."""
    declare_operators()
    from tiatoolbox.models.engine.io_config import IOSegmentorConfig
    from tiatoolbox.models.engine.semantic_segmentor import SemanticSegmentor

    size = {"units": "mpp", "resolution": orders["mpp"]}
    settings = IOSegmentorConfig(
        input_resolutions=[size],
        output_resolutions=[size],
        save_resolution=size,
        patch_input_shape=[WINDOW, WINDOW],
        patch_output_shape=[WINDOW, WINDOW],
        stride_shape=[WINDOW, WINDOW],
    )
    folder = Path(orders["mask"]).with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    engine = SemanticSegmentor(
        model(orders["network"]), batch_size=BATCH, num_workers=cores(), device="cpu", verbose=False
    )
    output = engine.run(
        [Path(orders["slide"])],
        patch_mode=False,
        ioconfig=settings,
        save_dir=folder,
        output_type="zarr",
        auto_get_mask=False,
        overwrite=True,
        device="cpu",
    )
    return {"mask": f"{next(iter(output.values()))}/predictions"}


def model(path: str) -> Any:
    """The network as the engine wants it."""
    from tiatoolbox.models.models_abc import ModelABC

    class Network(ModelABC):  # type: ignore[misc]  # the peer has no types
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.jit.load(path)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.net(image)  # type: ignore[no-any-return]

        @staticmethod
        def infer_batch(network: torch.nn.Module, batch: torch.Tensor, *, device: str) -> Any:
            with torch.inference_mode():
                image = batch.to(device=device, dtype=torch.float32).permute(0, 3, 1, 2) / 255
                return network(image).softmax(1).permute(0, 2, 3, 1).cpu().numpy()

        @staticmethod
        def preproc(image: Any) -> Any:
            return image

        @staticmethod
        def postproc(probabilities: Any) -> Any:
            return probabilities.argmax(axis=-1)

    return Network()


if __name__ == "__main__":
    serve(run)
