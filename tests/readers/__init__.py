"""What other people's programs read of the files that a run leaves: a table made by tests.

What reads stands in one small file per reader, which also runs on Python 3.8 and knows nothing of this project.
"""
