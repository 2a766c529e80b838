"""What serves: a file's bytes to calibrated scores, by ONNX Runtime, without Keras and MLflow."""
