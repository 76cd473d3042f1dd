"""pandera: a schema accepts a good frame and names every fault of a bad one."""

import pandas as pd
import pandera.pandas as pa

schema = pa.DataFrameSchema(
    {"amount": pa.Column(int, pa.Check.ge(0)), "city": pa.Column(str, pa.Check.isin(["Pune", "Delhi"]))},
    strict=True,
)
schema.validate(pd.DataFrame({"amount": [1, 2], "city": ["Pune", "Delhi"]}))
try:
    schema.validate(pd.DataFrame({"amount": [-1, 2], "city": ["Pune", "Rome"]}), lazy=True)
except pa.errors.SchemaErrors as error:
    assert set(error.failure_cases["column"]) == {"amount", "city"}
else:
    raise AssertionError("a bad frame was accepted")
