"""Networks in OpenVINO: converted once, compiled for each shape of tile, and measured in a process of its own."""
