"""``headrace upload``: pipelines in versions."""

from __future__ import annotations

import pytest
import yaml

from headrace.components.shared.errors import ConfigError
from headrace.pipelines.cluster import package
from headrace.pipelines.cluster.errors import ClusterError
from headrace.pipelines.cluster.uploads import is_same
from headrace.pipelines.compile import COMPILED

from .test_submit import only

FILE = COMPILED / "training.yaml"
TWO = f"{FILE.read_text()}---\n{FILE.read_text()}"


def spec_of(server):
    return only(server.versions).pipeline_spec["pipeline_spec"]


def test_the_same_content_is_uploaded_once(done, server):
    first = done("upload", "flights", FILE)
    version = only(server.versions)
    assert only(server.pipelines).display_name == "flights"
    assert is_same(version.pipeline_spec, package.read(FILE))
    assert first.startswith(f"Uploaded flights {version.display_name}\n")
    assert f"version/{version.pipeline_version_id}" in first
    again = done("upload", "flights", FILE)
    assert again.startswith("The server has it already: flights")
    assert len(server.versions) == 1


def test_a_file_with_settings_for_kubernetes_is_uploaded_whole(done, server, tmp_path):
    done("compile", tmp_path)
    file = tmp_path / "training.yaml"
    done("upload", "flights", file)
    stored = only(server.versions).pipeline_spec
    assert stored["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert is_same(stored, package.read(file))
    assert done("upload", "flights", file).startswith("The server has it already")
    # The same pipeline with other settings for Kubernetes is another version.
    file.write_text(file.read_text().replace("activeDeadlineSeconds: '3600'", "", 1))
    assert done("upload", "flights", file).startswith("Uploaded")
    assert len(server.versions) == 2


def test_other_content_is_a_new_version_of_the_same_pipeline(done, server, tmp_path):
    done("upload", "flights", FILE)
    changed = tmp_path / "changed.yaml"
    changed.write_text(FILE.read_text().replace("Sources to a blessed", "Another"))
    done("upload", "flights", changed)
    assert len(server.pipelines) == 1
    assert len({version.display_name for version in server.versions.values()}) == 2


def test_a_named_version_is_never_another_pipeline(done, refused, server, tmp_path):
    done("upload", "flights", FILE, "--version", "v1.2-3-gabc")
    assert only(server.versions).display_name == "v1.2-3-gabc"
    done("upload", "flights", FILE, "--version", "v1.2-3-gabc")
    error = refused(
        "upload", "flights", COMPILED / "materialization.yaml", "--version", "v1.2-3-gabc"
    )
    assert isinstance(error, ClusterError)
    assert error.status == 409
    assert "has a version 'v1.2-3-gabc' with other content" in error.message
    assert len(server.versions) == 1


def test_a_project_becomes_the_defaults_of_its_pipeline(done, server, project):
    done("upload", "taxi", project, "--set", "training.epochs=5")
    parameters = spec_of(server)["root"]["inputDefinitions"]["parameters"]
    assert parameters["training"]["defaultValue"]["epochs"] == 5
    assert parameters["project"]["defaultValue"] == "taxi"
    assert "defaultValue" not in parameters["data_version"]
    # The time of the upload is no part of the content.
    done("upload", "taxi", project, "--set", "training.epochs=5")
    assert len(server.versions) == 1


def test_names_differ_by_capital_letters_too(done, server):
    done("upload", "flights", FILE, "--version", "v1")
    done("upload", "Flights", FILE, "--version", "v1")
    done("upload", "Flights", FILE, "--version", "V1")
    assert len(server.pipelines) == 2
    assert len(server.versions) == 3


def test_an_upload_that_broke_off_is_finished_by_the_next_one(done, refused, server):
    server.fail("upload_version", status=503)
    refused("upload", "flights", FILE)
    assert len(server.pipelines) == 1
    done("upload", "flights", FILE)
    assert len(server.pipelines) == len(server.versions) == 1


@pytest.mark.parametrize("text", ["a: [", yaml.safe_dump({"a": 1}), "- a", "", TWO])
def test_a_file_that_is_no_pipeline(refused, server, tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    error = refused("upload", "x", path)
    assert isinstance(error, ConfigError)
    assert str(path) in error.message
    assert "headrace compile" in error.fix
    assert server.requests == []
