"""The compose file is valid, and says the same as the manifests."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from .conftest import SERVING
from .test_manifests import of_kind, pods

FILE = SERVING / "compose.yaml"


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]


def test_it_is_a_compose_file(programs):
    command = [programs / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_mounts_is_there(services):
    named = yaml.safe_load(FILE.read_text(encoding="utf-8"))["volumes"]
    for service in services.values():
        for volume in service.get("volumes", []):
            # The models' folder comes from a variable; a run makes the one that is its default.
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (SERVING / source).exists(), volume
            elif not source.startswith("$"):
                assert source in named, volume


def test_no_secret_has_a_default():
    text = FILE.read_text(encoding="utf-8")
    for name in ("REDIS_PASSWORD", "GATEWAY_TOKENS", "HEADRACE_LOG_KEY", "GRAFANA_PASSWORD"):
        assert f"${{{name}:?" in text
        assert f"${{{name}:-" not in text


def test_it_listens_to_this_machine_only(services):
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("name", ["tf-serving", "feature-server", "gateway"])
def test_servers_get_the_options_that_they_get_on_kubernetes(name, services, render):
    found = {pod: spec for pod, _, spec in pods(render(SERVING / "overlays" / "dev"))}
    (container,) = found[name]["containers"]

    def plain(words):
        # There the settings lie in two folders: one is read again, one is not.
        return [
            re.sub(r"/etc/tf-serving/(models/|settings/)?", "/etc/tf-serving/", w) for w in words
        ]

    service = services[name]
    assert [*service.get("entrypoint", []), *plain(service["command"])] == [
        *container["command"],
        *plain(container["args"]),
    ]
    inside = {port.rsplit(":", 1)[1] for port in service["ports"]}
    assert inside == {str(port["containerPort"]) for port in container["ports"]}


def test_they_run_the_images_of_the_overlays(services, render):
    rendered = render(SERVING / "overlays" / "prod")
    images = {spec["containers"][0]["image"] for _, _, spec in pods(rendered)}
    assert {services["tf-serving"]["image"], services["redis"]["image"]} <= images
    assert set(of_kind(rendered, "Service")) <= set(services)
