"""The features of the `offers` model. The README says which columns `build` is given."""

import pandas as pd


def build(impressions: pd.DataFrame) -> pd.DataFrame:
    """One row of numbers for each impression, in the same order; no row may depend on the rows beside it."""
    raise NotImplementedError
