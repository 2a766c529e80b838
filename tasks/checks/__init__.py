"""What the data are held to before anything trains on them."""
