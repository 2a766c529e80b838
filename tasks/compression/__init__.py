"""A network as one ONNX graph, from pixels to calibrated scores, in float and in int8."""
