"""Plain data to JSON and buffers, and back. What arrives is rebuilt from numbers and text; nothing is called."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MAX_BUFFERS = 4096
MAX_DEPTH = 64
NUMERIC_KINDS = "biufcmM"


class WireError(ValueError):
    """The other side sent, or was asked to send, something that is no plain data."""


def to_plain(value: Any, buffers: list[bytes | memoryview], depth: int) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value if kind is not str else _text(value)
    if kind is int:
        return value if -(2**63) <= value < 2**64 else {"$int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if depth > MAX_DEPTH:
        raise WireError(f"a value nested more than {MAX_DEPTH} deep")
    if kind in (list, tuple):
        return [to_plain(item, buffers, depth + 1) for item in value]
    if kind is dict:
        return _plain_dict(value, buffers, depth)
    return _plain_other(value, buffers, depth)


def _plain_dict(value: dict[Any, Any], buffers: list[bytes | memoryview], depth: int) -> Any:
    if all(type(key) is str for key in value) and not any(key.startswith("$") for key in value):
        return {_text(key): to_plain(item, buffers, depth + 1) for key, item in value.items()}
    pairs = [[to_plain(k, buffers, depth + 1), to_plain(v, buffers, depth + 1)] for k, v in value.items()]
    return {"$pairs": pairs}


def _plain_other(value: Any, buffers: list[bytes | memoryview], depth: int) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": _add(buffers, bytes(value))}
    if isinstance(value, (set, frozenset)):
        return {"$set": [to_plain(item, buffers, depth + 1) for item in value]}
    if isinstance(value, dt.datetime):
        return {"$datetime": value.isoformat()} if value == value else {"$float": "nan"}
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, dt.timedelta):
        return {"$seconds": value.total_seconds()}
    if isinstance(value, (decimal.Decimal, PurePath)):
        return str(value)
    bases: tuple[Any, ...] = (bool, int, float, str, list, tuple, dict)
    for base in bases:  # subclasses: enums, defaultdict, named tuples
        if isinstance(value, base):
            return to_plain(base(value), buffers, depth)
    return _plain_numeric(value, buffers, depth)


def _plain_numeric(value: Any, buffers: list[bytes | memoryview], depth: int) -> Any:
    import numpy as np

    if isinstance(value, np.generic):
        if isinstance(value, (np.datetime64, np.timedelta64)):
            return _array(np.asarray(value), buffers, depth)
        return to_plain(value.item(), buffers, depth)
    if isinstance(value, np.ndarray):
        return _array(value, buffers, depth)
    module = type(value).__module__.partition(".")[0]
    if module == "pandas":
        return _plain_pandas(value, buffers, depth)
    raise WireError(f"a `{type(value).__name__}` object, which is no plain data")


def _plain_pandas(value: Any, buffers: list[bytes | memoryview], depth: int) -> Any:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        if not value.columns.is_unique:
            raise WireError("a DataFrame in which two columns have the same name")
        names = [str(name) for name in value.columns]
        columns = [_column(value.iloc[:, i], buffers, depth) for i in range(len(names))]
        return {"$frame": [names, columns, len(value)]}
    if isinstance(value, (pd.Series, pd.Index)):
        return _column(pd.Series(value), buffers, depth)
    if value is pd.NaT or value is pd.NA:
        return {"$float": "nan"}
    raise WireError(f"a pandas `{type(value).__name__}`, which is no plain data")


def _column(series: Any, buffers: list[bytes | memoryview], depth: int) -> Any:
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categories = [None if item is None else str(item) for item in dtype.categories]
        return {"$category": [categories, _array(series.cat.codes.to_numpy(), buffers, depth)]}
    if isinstance(dtype, pd.DatetimeTZDtype):
        naive = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return {"$utc": _array(naive.to_numpy(), buffers, depth)}
    if pd.api.types.is_extension_array_dtype(dtype):
        series = series.astype("float64") if pd.api.types.is_numeric_dtype(dtype) else series.astype(object)
    return _array(series.to_numpy(), buffers, depth)


def _array(array: np.ndarray[Any, Any], buffers: list[bytes | memoryview], depth: int) -> Any:
    import numpy as np

    if array.dtype.kind in NUMERIC_KINDS:
        array = np.ascontiguousarray(array)
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        shape = list(little.shape)
        return {"$array": [_add(buffers, _view(little)), little.dtype.str, shape]}
    if array.dtype.kind in "OUST" and array.ndim == 1:
        import pandas as pd

        items = (
            ["" if item is None else item for item in array.tolist()]
            if array.dtype.kind == "T"
            else array.tolist()
        )
        if all(type(item) is str for item in items):
            return {"$texts": items}
        missing = pd.isna(array) if array.dtype.kind == "O" else [False] * len(items)
        return {
            "$texts": [
                None if gone else to_plain(item, buffers, depth + 1)
                for item, gone in zip(items, missing, strict=True)
            ]
        }
    raise WireError(f"a NumPy array of dtype {array.dtype}, which is no plain data")


def _view(array: np.ndarray[Any, Any]) -> bytes | memoryview:
    """The bytes of a contiguous array, without a copy where the buffer protocol has a name for its type."""
    if not array.size:
        return b""
    if array.dtype.kind in "mM":
        array = array.view("<i8")
    return array.reshape(-1).data.cast("B")


def _add(buffers: list[bytes | memoryview], data: bytes | memoryview) -> int:
    if len(buffers) >= MAX_BUFFERS:
        raise WireError(f"more than {MAX_BUFFERS} arrays in one value")
    buffers.append(data)
    return len(buffers) - 1


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value


def rebuild(tree: Any, buffers: list[bytearray], depth: int) -> Any:
    if depth > 2 * MAX_DEPTH + 8:
        raise WireError("the reply is nested too deeply")
    if isinstance(tree, list):
        return [rebuild(item, buffers, depth + 1) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1:
        (tag, body), *_ = tree.items()
        if tag.startswith("$"):
            try:
                return REBUILD[tag](body, buffers, depth + 1)
            except (KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
                raise WireError(f"the reply is malformed at {tag}: {error}") from None
    return {key: rebuild(item, buffers, depth + 1) for key, item in tree.items()}


def _rebuild_array(body: list[Any], buffers: list[bytearray], depth: int) -> Any:
    import numpy as np

    index, name, shape = body
    dtype = np.dtype(name)
    if dtype.kind not in NUMERIC_KINDS or dtype.hasobject or len(shape) > 8:
        raise WireError(f"an array of dtype {name}")
    return np.frombuffer(buffers[index], dtype=dtype).reshape([int(side) for side in shape])


def _rebuild_texts(body: list[Any], buffers: list[bytearray], depth: int) -> Any:
    import numpy as np

    array = np.empty(len(body), dtype=object)
    array[:] = [rebuild(item, buffers, depth) if isinstance(item, (dict, list)) else item for item in body]
    return array


def _rebuild_frame(body: list[Any], buffers: list[bytearray], depth: int) -> Any:
    import pandas as pd

    names, columns, rows = body
    data = {
        str(name): _frame_column(column, buffers, depth) for name, column in zip(names, columns, strict=True)
    }
    if any(len(column) != rows for column in data.values()):
        raise WireError("a frame whose columns differ in length")
    return pd.DataFrame(data, index=pd.RangeIndex(int(rows)), copy=False)


def _frame_column(column: Any, buffers: list[bytearray], depth: int) -> Any:
    value = rebuild(column, buffers, depth)
    if getattr(value, "ndim", 1) != 1:
        raise WireError("a frame with a column that is no column")
    return value


def _rebuild_category(body: list[Any], buffers: list[bytearray], depth: int) -> Any:
    import numpy as np
    import pandas as pd

    categories, codes = body
    positions = rebuild(codes, buffers, depth)
    if not (isinstance(positions, np.ndarray) and positions.dtype.kind == "i"):
        raise WireError("a category column without codes")
    if len(positions) and (positions.min() < -1 or positions.max() >= len(categories)):
        raise WireError("a category code out of range")
    return pd.Categorical.from_codes(
        positions, categories=pd.Index([str(item) for item in categories], dtype=object)
    )


def _rebuild_utc(body: Any, buffers: list[bytearray], depth: int) -> Any:
    import pandas as pd

    return pd.DatetimeIndex(rebuild(body, buffers, depth)).tz_localize("UTC")


def _rebuild_set(body: list[Any], buffers: list[bytearray], depth: int) -> Any:
    return {tuple(item) if isinstance(item, list) else item for item in rebuild(body, buffers, depth)}


def _rebuild_pairs(body: list[Any], buffers: list[bytearray], depth: int) -> Any:
    pairs = [(rebuild(key, buffers, depth), rebuild(value, buffers, depth)) for key, value in body]
    return {tuple(key) if isinstance(key, list) else key: value for key, value in pairs}


REBUILD: dict[str, Any] = {
    "$array": _rebuild_array,
    "$texts": _rebuild_texts,
    "$frame": _rebuild_frame,
    "$category": _rebuild_category,
    "$utc": _rebuild_utc,
    "$set": _rebuild_set,
    "$pairs": _rebuild_pairs,
    "$bytes": lambda body, buffers, depth: bytes(buffers[body]),
    "$int": lambda body, buffers, depth: int(body, 16),
    "$float": lambda body, buffers, depth: float(body),
    "$datetime": lambda body, buffers, depth: dt.datetime.fromisoformat(body),
    "$date": lambda body, buffers, depth: dt.date.fromisoformat(body),
    "$seconds": lambda body, buffers, depth: dt.timedelta(seconds=body),
}
