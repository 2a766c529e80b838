"""Who is trained on and who is tested on: groups, their sides, pictures that join them."""
