"""What the dashboard, the alerts and the autoscaler ask is what the server tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from app.telemetry import Metrics

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads(
    (MONITORING / "grafana" / "dashboards" / "seq2seq.json").read_text()
)
QUERIES = {
    "dashboard": [each["expr"] for panel in DASHBOARD["panels"] for each in panel["targets"]],
    "alerts": re.findall(r"seq2seq_.+", (MONITORING / "prometheus" / "alerts.yml").read_text()),
    "autoscaler": [(ROOT / "deploy/kubernetes/overlays/queue/scaled-object.yaml").read_text()],
}
#: What a sample's name ends in, after the name of its family.
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket"], "info": ["_info"], "gauge": [""]}


def names_of_samples() -> Iterator[str]:
    no_models: Any = SimpleNamespace(loaded=list, configs=list, states=dict)
    for family in Metrics(no_models).registry.collect():
        yield from (family.name + suffix for suffix in SUFFIXES[family.type])


@pytest.mark.parametrize("asker", QUERIES)
def test_the_server_tells_what_is_asked(asker: str) -> None:
    asked = set(re.findall(r"\b(?:seq2seq|process)_\w+", " ".join(QUERIES[asker])))
    assert asked
    assert asked <= set(names_of_samples())


def test_the_dashboard_asks_for_the_job_that_prometheus_scrapes() -> None:
    config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert all(f'job="{job["job_name"]}"' in query for query in QUERIES["dashboard"])


def test_prometheus_looks_for_the_servers_of_compose() -> None:
    config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text())
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    (found,) = config["scrape_configs"][0]["dns_sd_configs"]
    assert found["names"] == [name for name, each in services.items() if "build" in each]


def test_a_server_that_prometheus_does_not_find_is_down() -> None:
    (group,) = yaml.safe_load((MONITORING / "prometheus" / "alerts.yml").read_text())["groups"]
    (rule,) = (each for each in group["rules"] if each["alert"] == "ServerDown")
    assert 'absent(up{job="seq2seq"})' in rule["expr"]


def test_the_dashboard_finds_its_data_source() -> None:
    folder = MONITORING / "grafana" / "provisioning" / "datasources"
    (source,) = yaml.safe_load((folder / "prometheus.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
