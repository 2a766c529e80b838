"""File bytes to pixels, and file bytes to de-identified file bytes. No TensorFlow."""
