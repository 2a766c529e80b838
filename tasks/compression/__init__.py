"""ONNX graphs: one form for equal ones, and int8 from float."""
