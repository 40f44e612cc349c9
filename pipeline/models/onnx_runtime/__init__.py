"""Networks in ONNX files: what a file says of itself, and its runs by onnxruntime."""
