"""What the manifests say of the image and of the program. `make manifests` compares them with
Kubernetes' own schemas."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.routes import health
from app.settings import settings_table
from training.__main__ import RECIPE_COMMANDS
from training.recipe_file import read_recipe

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
SERVERS = ["overlays/cpu", "overlays/queue", "overlays/gpu"]
JOBS = ["training", "prepare"]
ROUTES = {route.path for route in health.router.routes}  # type: ignore[attr-defined]

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")


@cache
def built(folder: str) -> dict[str, dict[str, Any]]:
    """Returns what `kubectl apply -k` would send, by kind."""
    command = ["kubectl", "kustomize", str(FOLDER / folder)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    documents = [*yaml.safe_load_all(printed)]
    by_kind = {document["kind"]: document for document in documents}
    assert len(by_kind) == len(documents)
    return by_kind


def pods_of(folder: str) -> list[dict[str, Any]]:
    """Returns the specifications of the folder's kinds of pods."""
    manifests = built(folder)
    if "RayJob" in manifests:
        cluster = manifests["RayJob"]["spec"]["rayClusterSpec"]
        groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    else:
        groups = [(manifests.get("Deployment") or manifests["Job"])["spec"]]
    return [group["template"]["spec"] for group in groups]


def pod_of(folder: str) -> dict[str, Any]:
    """Returns the specification of the folder's only kind of pods."""
    (pod,) = pods_of(folder)
    return pod


def test_every_folder_is_tested() -> None:
    folders = {str(file.parent.relative_to(FOLDER)) for file in FOLDER.rglob("kustomization.yaml")}
    assert folders == {"base", *SERVERS, *JOBS}


@pytest.mark.parametrize("folder", SERVERS)
def test_probes_ask_routes_of_the_server(folder: str) -> None:
    (server,) = pod_of(folder)["containers"]
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server[name]["httpGet"]["path"] in ROUTES


def test_prometheus_asks_a_route_of_the_server() -> None:
    (endpoint,) = built("overlays/queue")["PodMonitor"]["spec"]["podMetricsEndpoints"]
    assert endpoint["path"] in ROUTES


@pytest.mark.parametrize("folder", SERVERS)
def test_all_ports_lead_to_that_of_the_server(folder: str) -> None:
    manifests = built(folder)
    (server,) = pod_of(folder)["containers"]
    (port,) = server["ports"]
    assert f"EXPOSE {port['containerPort']}\n" in (ROOT / "Dockerfile").read_text()
    asked = [server[name]["httpGet"]["port"] for name in server if name.endswith("Probe")]
    asked += [each["targetPort"] for each in manifests["Service"]["spec"]["ports"]]
    (allowed,) = manifests["NetworkPolicy"]["spec"]["ingress"]
    asked += [each["port"] for each in allowed["ports"]]
    if "PodMonitor" in manifests:
        asked += [each["port"] for each in manifests["PodMonitor"]["spec"]["podMetricsEndpoints"]]
    assert set(asked) == {port["name"]}


def test_the_queue_is_that_of_the_pods_that_it_scales() -> None:
    manifests = built("overlays/queue")
    scaled = manifests["ScaledObject"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == manifests["Deployment"]["metadata"]["name"]
    (server,) = pod_of("overlays/queue")["containers"]
    assert f'container="{server["name"]}"' in scaled["triggers"][0]["metadata"]["query"]


@pytest.mark.parametrize("folder", SERVERS)
def test_a_pod_lives_until_its_requests_are_answered(folder: str) -> None:
    settings = built(folder)["ConfigMap"]["data"]
    seconds = int(settings["SEQ2SEQ_DRAIN_SECONDS"])
    seconds += int(settings["SEQ2SEQ_REQUEST_TIMEOUT_SECONDS"])
    assert pod_of(folder)["terminationGracePeriodSeconds"] >= seconds + 3  # for the worker


@pytest.mark.parametrize("folder", SERVERS)
def test_the_server_knows_its_settings(folder: str) -> None:
    assert set(built(folder)["ConfigMap"]["data"]) <= {name for name, _, _ in settings_table()}


@pytest.mark.parametrize("folder", SERVERS)
def test_what_selects_pods_selects_those_of_the_server(folder: str) -> None:
    manifests = built(folder)
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert manifests["Service"]["spec"]["selector"].items() <= labels
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        assert manifests[kind]["spec"][key]["matchLabels"].items() <= labels


@pytest.mark.parametrize("folder", [*SERVERS, *JOBS])
def test_no_variable_of_a_service_enters_the_environment(folder: str) -> None:
    assert all(pod["enableServiceLinks"] is False for pod in pods_of(folder))


@pytest.mark.parametrize("folder", [*SERVERS, *JOBS])
def test_pods_fit_the_image_and_the_restricted_standard(folder: str) -> None:
    user = re.findall(r"^USER (\d+):\d+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for pod in pods_of(folder):
        assert [str(pod["securityContext"]["runAsUser"])] == user
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@pytest.mark.parametrize("folder", [*SERVERS, *JOBS])
def test_images_are_those_that_the_dockerfile_builds(folder: str) -> None:
    images = re.findall(r"seq2seq:\w+", (ROOT / "Dockerfile").read_text())
    assert all(pod["containers"][0]["image"] in images for pod in pods_of(folder))


def numbers_of_replicas(folder: str) -> Iterator[str]:
    manifests = built(folder)
    if "replicas" in manifests["Deployment"]["spec"]:
        yield "Deployment"
    yield from {"HorizontalPodAutoscaler", "ScaledObject"} & manifests.keys()


@pytest.mark.parametrize("folder", SERVERS)
def test_one_document_decides_how_many_replicas_run(folder: str) -> None:
    assert len([*numbers_of_replicas(folder)]) == 1


def test_the_recipe_of_the_training_job_starts_from_a_model_of_the_image() -> None:
    recipe = read_recipe(FOLDER / "training" / "recipe.toml")
    assert recipe.output.startswith("runs/")
    assert f"\nCOPY {recipe.start_from} " in (ROOT / "Dockerfile").read_text()


def test_the_training_job_runs_all_commands_in_order() -> None:
    (container,) = pod_of("training")["containers"]
    (script,) = container["args"]
    assert f"for command in {' '.join(RECIPE_COMMANDS)}; do" in script


def test_the_ray_cluster_has_the_version_and_the_files_of_the_job() -> None:
    manifests = built("prepare")
    cluster = manifests["RayJob"]["spec"]["rayClusterSpec"]
    lock = (ROOT / "requirements" / "ray.txt").read_text()
    assert f"\nray=={cluster['rayVersion']} " in lock
    head, *workers = pods_of("prepare")
    volumes = {volume["name"]: volume for volume in head["volumes"]}
    assert volumes["recipe"]["configMap"]["name"] == manifests["ConfigMap"]["metadata"]["name"]
    claim = manifests["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for pod in (head, *workers):
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in pod["containers"][0]["env"]
        mounted = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
        assert mounted["training"] == "/data"
