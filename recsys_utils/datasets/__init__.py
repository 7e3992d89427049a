"""The data sets of the course, one module each."""
