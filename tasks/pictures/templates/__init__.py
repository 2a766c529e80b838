"""Templates of the pages, part of the code of whatever renders them."""
