"""What every room uses: parameters, paths, errors, tables, labels, digests. It imports no room."""
