"""prometheus-client: a histogram is observed, exposed as text, and read back."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

registry = CollectorRegistry()
latency = Histogram("predict_seconds", "Time to answer", ["route"], buckets=(0.01, 0.1, 1), registry=registry)
for seconds in (0.005, 0.05, 0.5):
    latency.labels("/predict").observe(seconds)
families = {
    family.name: family for family in text_string_to_metric_families(generate_latest(registry).decode())
}
samples = families["predict_seconds"].samples
buckets = {sample.labels["le"]: sample.value for sample in samples if sample.name.endswith("_bucket")}
assert buckets == {"0.01": 1.0, "0.1": 2.0, "1.0": 3.0, "+Inf": 3.0}, buckets
