"""ONNX graphs, whoever made them: one form for equal ones, and feature extractors that are brought.

Without Keras: what trains and what serves both build on it.
"""
