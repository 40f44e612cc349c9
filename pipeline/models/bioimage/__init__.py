"""Model descriptions of bioimage.io, formats 0.4 and 0.5: what they state, and the files that they name.

Only the fields that decide how a network is run are read (https://github.com/bioimage-io/spec-bioimage-io).
"""
