"""The page that validation writes; a package, so that its files count as code of who renders it."""
