"""Who the images show, hidden: pseudonyms, marks of identity, and what is kept of a person."""
