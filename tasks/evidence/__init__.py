"""What reporting guidelines ask of a study, filled from the files of a run and the owner's text."""
