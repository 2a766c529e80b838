"""Charts and image grids as PNG files whose bytes repeat: no dates, no versions, fixed fonts."""
