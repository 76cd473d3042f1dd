"""From the arrays that the world computes with to the data frames that its users see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from labs.world.draws import Columns
from labs.world.faults import RENAMES
from labs.world.population import CATEGORIES, CHANNELS

if TYPE_CHECKING:
    import pandas as pd

HIDDEN = ("slot",)


def frame_of(columns: Columns) -> pd.DataFrame:
    """The columns as a frame, without the hidden ones; codes get names, microseconds become datetimes."""
    import pandas as pd

    data: dict[str, Any] = {name: values for name, values in columns.items() if name not in HIDDEN}
    data["event_time"] = columns["event_time"].view("datetime64[us]")
    for name, known in (("channel", CHANNELS), ("merchant_category", CATEGORIES)):
        codes = columns[name]
        renamed = (RENAMES[name][1],) if codes.size and int(codes.max()) == len(known) else ()
        data[name] = named(codes, (*known, *renamed))
    return pd.DataFrame(data, copy=False)


def named(codes: npt.NDArray[Any], names: tuple[str, ...]) -> pd.Categorical[Any]:
    """A categorical of `names` from their positions."""
    import pandas as pd

    return pd.Categorical.from_codes(codes, categories=pd.Index(names))
