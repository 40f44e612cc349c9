"""What is taken as what: the rows of docs/inputs.md, each made by a file and what the product says of it.

To add a row, write a function below one of the decorators in `rasters.py`, `networks.py` or `labels.py`, and make the
page anew::

    python -m tests.inputs
"""
