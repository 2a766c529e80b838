"""The reviewed list of words that are recorded whoever the patients are: `words.txt`."""
