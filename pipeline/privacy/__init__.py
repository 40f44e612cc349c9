"""What `output.redact` keeps out of everything that is written: names and paths of the images of people."""
