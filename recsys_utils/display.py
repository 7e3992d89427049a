"""Tables for the reader, made with tabulate."""

import pandas as pd
from tabulate import tabulate


def results_table(frame: pd.DataFrame, digits: int = 3) -> str:
    """Lay a frame out as an HTML table that Jupyter shows.

    Parameters
    ----------
    frame : one row a model; the column names are the headings, the index is left out
    digits : decimals of every float; a missing value shows as a dash

    Returns
    -------
    str
        HTML; the last expression of a cell shows it as a table.
    """
    return tabulate(
        frame, headers="keys", tablefmt="html", showindex=False, floatfmt=f".{digits}f", missingval="–"
    )
