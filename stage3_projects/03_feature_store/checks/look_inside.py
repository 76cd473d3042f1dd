"""Prints what Feast's registry holds, as JSON, and what its on-demand view computes.

Runs beside the learner's files; reads the registry file alone.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast import Field
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.protos.feast.core.Registry_pb2 import Registry

sys.path.append(os.getcwd())

MEAN, RATIO = "payer_mean_amount_30d_paise", "amount_to_mean_30d"
GIVEN = {"amount_paise": [2500, 100, 100, 100], MEAN: [1000.0, 25000.0, 0.0, None]}


def main(path: str = "data/registry.db") -> None:
    registry = Registry()
    registry.ParseFromString(Path(path).read_bytes())
    views = [*registry.feature_views, *registry.stream_feature_views]
    found: dict[str, Any] = {
        "entities": {one.spec.name: one.spec.join_key for one in registry.entities},
        "views": {one.spec.name: one.spec.ttl.ToMicroseconds() for one in views},
        "services": {
            one.spec.name: sorted(
                column.name for projection in one.spec.features for column in projection.feature_columns
            )
            for one in registry.feature_services
        },
        "on_demand": "",
        "trouble": "no on-demand view gives it",
        "ratios": [],
    }
    for proto in registry.on_demand_feature_views:
        if proto.spec.name in _parts_of_v1(registry) and RATIO in {one.name for one in proto.spec.features}:
            found["on_demand"] = proto.spec.name
            try:
                found["ratios"], found["trouble"] = _ratios(OnDemandFeatureView.from_proto(proto)), ""
            except Exception as error:
                found["trouble"] = f"{type(error).__name__}: {error}".splitlines()[0][:120]
    print(json.dumps(found))


def _parts_of_v1(registry: Registry) -> set[str]:
    service = next((one for one in registry.feature_services if one.spec.name == "fraud_v1"), None)
    return {part.feature_view_name for part in service.spec.features} if service else set()


def _ratios(view: OnDemandFeatureView) -> list[float | None]:
    """What Feast's own code makes of it, in each of its modes, for an online request of four rows."""
    inputs: dict[str, list[Any]] = dict(GIVEN)
    for projection in view.source_feature_view_projections.values():
        inputs |= {one.name: [_usual(one)] * 4 for one in projection.features if one.name not in inputs}
    if view.mode != "python":
        return [plain(one) for one in view.transform_arrow(pa.table(inputs))[RATIO].to_pylist()]
    if not view.singleton:
        return [plain(one) for one in view.transform_dict(inputs)[RATIO]]
    rows = ({name: [values[place]] for name, values in inputs.items()} for place in range(4))
    return [plain(view.transform_dict(row)[RATIO]) for row in rows]


def _usual(feature: Field) -> Any:
    """A value of a column on which the ratio does not rest."""
    kind = feature.dtype.to_value_type().name
    return (
        False
        if kind == "BOOL"
        else 1
        if kind.startswith("INT")
        else 1.0
        if kind in ("FLOAT", "DOUBLE")
        else None
    )


def plain(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


if __name__ == "__main__":
    main()
