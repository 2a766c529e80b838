"""What arrives: new files of a source, the cohort they join, and its versions in DVC."""
