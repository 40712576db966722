"""What a running service counts by version of its model."""

from collections import defaultdict
from typing import Any


def read_traffic(url: str, name: str) -> list[dict[str, Any]]:
    """Requests, errors and mean latency of each version, from a running service's metrics.

    Raises:
        OSError: it does not answer.
        ValueError: it has no metrics by version.
    """
    import requests
    from prometheus_client.parser import text_string_to_metric_families

    answer = requests.get(f"{url.rstrip('/')}/metrics", timeout=10)
    answer.raise_for_status()
    counts: dict[int, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = sample.labels
            if labels.get("service") != name or labels.get("method") != "POST":
                continue
            if not labels.get("version"):  # to Prometheus an empty label is none
                raise ValueError(f"The service at {url} does not count by version.")
            mine = counts.setdefault(int(labels["version"]), defaultdict(float))
            what = sample.name.rpartition("_")[2]  # count, sum or bucket
            mine[what] += sample.value
            if what == "count" and labels["status"] >= "500":
                mine["errors"] += sample.value
    return [
        {
            "version": version,
            "requests": int(mine["count"]),
            "errors": int(mine["errors"]),
            "mean_ms": 1000 * mine["sum"] / mine["count"],
        }
        for version, mine in sorted(counts.items())
    ]
