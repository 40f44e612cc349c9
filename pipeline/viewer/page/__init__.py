"""The files of the page, as a browser gets them, and what they are built of."""
