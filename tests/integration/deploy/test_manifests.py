"""Every manifest, as kustomize renders it, is valid, complete and hardened."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from typer.testing import CliRunner

from .conftest import ENVIRONMENTS, PIPELINES, SERVING, Resources
from .custom_resources import SPECS, validate

FOLDERS = [
    *(folder / "overlays" / name for folder in (SERVING, PIPELINES) for name in ENVIRONMENTS),
    SERVING / "kserve",
    PIPELINES / "argocd",
]
#: The oldest release that is still looked after by some provider, and the newest known here.
KUBERNETES = ("1.30.0", "1.37.0")
#: Made by people or by a secret operator, never by these manifests.
SECRETS = {
    "feature-store": {"FEAST_REGISTRY_URL", "FEAST_REDIS", "FEAST_REDIS_TYPE", "REDIS_PASSWORD"},
    "gateway": {"tokens", "log-key"},
}


def name_of(folder: Path) -> str:
    return "-".join(folder.parts[folder.parts.index("deploy") - 1 :])


@pytest.fixture(params=FOLDERS, ids=name_of)
def resources(request, render) -> Resources:
    return render(request.param)


def pods(resources: Resources) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, labels and specification of each pod that the resources make."""
    for item in resources:
        if item["kind"] in ("Deployment", "StatefulSet", "Job"):
            template = item["spec"]["template"]
            labels = template["metadata"].get("labels", {})
            yield item["metadata"]["name"], labels, template["spec"]


def of_kind(resources: Resources, *kinds: str) -> dict[str, dict[str, Any]]:
    return {r["metadata"]["name"]: r for r in resources if r["kind"] in kinds}


def validate_all(resources: Resources) -> None:
    for item in resources:
        if (item["apiVersion"], item["kind"]) in SPECS:
            validate(item)
            continue
        for version in KUBERNETES:
            kubernetes_validate.validate(item, version, strict=True)


def test_every_resource_is_what_kubernetes_takes(resources):
    assert resources
    validate_all(resources)


@pytest.mark.parametrize(
    ("component", "resource"),
    [("time-slicing", "nvidia.com/gpu"), ("mig", "nvidia.com/mig-1g.10gb")],
)
def test_gpus_are_shared(component, resource, overlay, render):
    rendered = render(overlay(SERVING / "gpu" / component))
    validate_all(rendered)
    (container,) = of_kind(rendered, "Deployment")["tf-serving"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["image"].endswith("-gpu")
    assert container["resources"]["limits"][resource] == "1"


def test_images_are_exact(resources):
    for name, _, spec in pods(resources):
        for container in spec["containers"]:
            image = container["image"]
            if "headrace" in image:
                assert re.search(r"@sha256:[0-9a-f]{64}$", image), f"{name}: {image}"
            else:
                assert re.search(r":\d+\.\d+\.\d+[a-z0-9-]*$", image), f"{name}: {image}"


def test_pods_run_without_rights(resources):
    """What Kubernetes' pod security standard `restricted` asks, and a read-only file system."""
    for name, _, spec in pods(resources):
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False, name
            assert rights["readOnlyRootFilesystem"] is True, name
            assert rights["capabilities"] == {"drop": ["ALL"]}, name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name


def test_everything_that_pods_name_is_there(resources):
    configs, claims = of_kind(resources, "ConfigMap"), of_kind(resources, "PersistentVolumeClaim")
    accounts = of_kind(resources, "ServiceAccount")
    for name, _, spec in pods(resources):
        assert spec["serviceAccountName"] in accounts, name
        stateful = of_kind(resources, "StatefulSet").get(name, {}).get("spec", {})
        volumes = {v["metadata"]["name"] for v in stateful.get("volumeClaimTemplates", [])}
        for volume in spec["volumes"]:
            volumes.add(volume["name"])
            if "configMap" in volume:
                assert volume["configMap"]["name"] in configs, name
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims, name
        for container in spec["containers"]:
            assert {m["name"] for m in container["volumeMounts"]} == volumes, name
            check_environment(container, configs)
            check_probes(container)


def check_environment(container: dict[str, Any], configs: dict[str, Any]) -> None:
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            assert source["configMapRef"]["name"] in configs
        else:
            assert source["secretRef"]["name"] in SECRETS
    for variable in container.get("env", []):
        if reference := variable["valueFrom"].get("secretKeyRef"):
            assert reference["key"] in SECRETS[reference["name"]]


def check_probes(container: dict[str, Any]) -> None:
    ports = {port["name"] for port in container.get("ports", [])}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        action = container.get(probe, {})
        for kind in ("httpGet", "tcpSocket"):
            assert kind not in action or action[kind]["port"] in ports


def test_config_files_are_where_the_commands_look(resources):
    configs = of_kind(resources, "ConfigMap")
    for name, _, spec in pods(resources):
        sources = {v["name"]: v["configMap"]["name"] for v in spec["volumes"] if "configMap" in v}
        (container,) = spec["containers"]
        files = {
            f"{mount['mountPath']}/{key}"
            for mount in container["volumeMounts"]
            if mount["name"] in sources
            for key in configs[sources[mount["name"]]]["data"]
        }
        words = " ".join([*container["command"], *container.get("args", [])])
        assert set(re.findall(r"/etc/[\w./-]+", words)) <= files, name


def test_our_commands_exist(resources):
    from headrace.cli.main import app

    for _, _, spec in pods(resources):
        (container,) = spec["containers"]
        words = [*container["command"], *container.get("args", [])]
        if words[0] != "headrace":
            continue
        names = list(itertools.takewhile(str.isalpha, words[1:]))
        shown = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, words
        options = [word.partition("=")[0] for word in words if word.startswith("--")]
        assert [option for option in options if option not in shown.output] == []


def selected(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    equal = all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items())
    among = all(
        labels.get(part["key"]) in part["values"] for part in selector.get("matchExpressions", [])
    )
    return equal and among


def test_selectors_select_and_ports_exist(resources):
    running = list(pods(resources))
    for item in resources:
        kind, spec = item["kind"], item.get("spec", {})
        if kind == "Service":
            chosen = [p for p in running if selected({"matchLabels": spec["selector"]}, p[1])]
            assert len(chosen) == 1, item["metadata"]["name"]
            ports = {p["name"] for c in chosen[0][2]["containers"] for p in c["ports"]}
            assert {port["targetPort"] for port in spec["ports"]} <= ports
        elif kind in ("PodDisruptionBudget", "Deployment", "StatefulSet"):
            assert [n for n, labels, _ in running if selected(spec["selector"], labels)] == [
                item["metadata"]["name"]
            ]
        elif kind == "HorizontalPodAutoscaler":
            assert spec["scaleTargetRef"]["name"] in of_kind(resources, "Deployment")
        elif kind == "ServiceMonitor":
            services = of_kind(resources, "Service").values()
            (service,) = [
                s for s in services if selected(spec["selector"], s["metadata"]["labels"])
            ]
            ports = {port["name"] for port in service["spec"]["ports"]}
            assert {endpoint["port"] for endpoint in spec["endpoints"]} <= ports


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_network_lets_through_what_is_needed_and_no_more(name, render):
    resources = render(SERVING / "overlays" / name)
    labels = {app: labels for app, labels, _ in pods(resources)}
    policies = list(of_kind(resources, "NetworkPolicy").values())

    def allowed(client: str, server: str, port: str) -> bool:
        ways = (
            ("Egress", client, server, "egress", "to"),
            ("Ingress", server, client, "ingress", "from"),
        )
        return all(
            any(
                port in [p["port"] for p in rule["ports"]]
                and any(
                    selected(peer["podSelector"], labels[other])
                    for peer in rule[peers]
                    if "podSelector" in peer
                )
                for policy in policies
                if direction in policy["spec"]["policyTypes"]
                and selected(policy["spec"]["podSelector"], labels[pod])
                for rule in policy["spec"].get(rules, [])
                if peers in rule
            )
            for direction, pod, other, rules, peers in ways
        )

    wanted = {
        ("gateway", "tf-serving", "grpc"),
        ("gateway", "redis", "redis"),
        ("feature-server", "redis", "redis"),
    }
    ports = {"grpc", "http", "redis"}
    found = {(a, b, port) for a in labels for b in labels for port in ports if allowed(a, b, port)}
    assert found == wanted
    everything = of_kind(resources, "NetworkPolicy")["headrace-deny-all"]["spec"]
    assert everything == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("folder", [SERVING, PIPELINES], ids=["serving", "pipelines"])
def test_a_promotion_is_a_copy(folder, tmp_path, render):
    """Copying the file of images of one environment brings its images to the next one."""
    copy = shutil.copytree(folder, tmp_path / "deploy")
    source = copy / "overlays" / "dev" / "images" / "kustomization.yaml"
    source.write_text(source.read_text().replace("0" * 64, "a" * 64))
    shutil.copy(source, copy / "overlays" / "staging" / "images" / "kustomization.yaml")

    def images(name: str) -> set[str]:
        return {
            c["image"]
            for _, _, spec in pods(render(copy / "overlays" / name))
            for c in spec["containers"]
        }

    assert images("staging") == images("dev") != images("prod")


def test_each_environment_has_its_applications(render):
    (applications,) = of_kind(render(PIPELINES / "argocd"), "ApplicationSet").values()
    (generator,) = applications["spec"]["generators"]
    environments, parts = (g["list"]["elements"] for g in generator["matrix"]["generators"])
    assert [e["environment"] for e in environments] == list(ENVIRONMENTS)
    root = SERVING.parents[1]
    for environment in ENVIRONMENTS:
        for part in parts:
            folder = root / part["part"] / "deploy" / "overlays" / environment
            namespaces = of_kind(render(folder), "Namespace")
            assert list(namespaces) == [f"{part['namespace']}-{environment}"]
            inside = {r["metadata"].get("namespace") for r in render(folder)} - {None}
            assert inside == set(namespaces)


def test_the_gateway_comes_up_after_what_it_asks(render):
    deployments = of_kind(render(SERVING / "overlays" / "prod"), "Deployment")
    wave = {
        name: int(item["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for name, item in deployments.items()
    }
    assert wave["gateway"] > max(wave["tf-serving"], wave["feature-server"])
