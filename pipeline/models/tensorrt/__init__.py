"""Networks in TensorRT: an engine for each shape of tile, built once and kept."""
