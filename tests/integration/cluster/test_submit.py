"""``headrace submit``: what arrives on the server is the project, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from headrace.components.shared.config.platform import Platform
from headrace.components.shared.errors import ConfigError
from headrace.pipelines.cluster import package
from headrace.pipelines.cluster.uploads import is_same
from headrace.pipelines.compile import COMPILED
from headrace.pipelines.training.arguments import arguments

TRAINING = package.of_project("training", Platform())


def only(things):
    (thing,) = things.values()
    return thing


def cached_tasks(sent):
    message = json_format.ParseDict(sent["pipeline_spec"], pipeline_spec_pb2.PipelineSpec())
    dags = [message.root.dag, *(component.dag for component in message.components.values())]
    tasks = [(name, task) for dag in dags for name, task in dag.tasks.items()]
    return {name for name, task in tasks if task.caching_options.enable_cache}


def test_the_server_gets_the_compiled_pipeline_and_the_projects_arguments(done, server, project):
    output = done("submit", project)
    run = only(server.runs)
    assert is_same(run.pipeline_spec, TRAINING)
    expected = arguments(project, home=Path())
    sent = run.runtime_config.parameters
    assert sent.pop("data_version").startswith("read-")
    expected.pop("data_version")
    assert sent == expected
    assert sent["serving_destination"] == "s3://models/live"
    assert run.display_name.startswith("taxi 20")
    assert server.experiments[run.experiment_id].display_name == "taxi"
    assert f"{server.url}/#/runs/details/{run.run_id}" in output
    # Nothing of what KFP's client prints by itself.
    assert len(output.splitlines()) == 2


def test_options_arrive(done, server, project):
    done(
        *("submit", project, "--experiment", "nightly", "--run-name", "first"),
        *("--set", "training.epochs=7", "--pipeline-root", "s3://artifacts"),
        *("--service-account", "trainer"),
    )
    run = only(server.runs)
    assert run.display_name == "first"
    assert only(server.experiments).display_name == "nightly"
    assert run.runtime_config.parameters["training"]["epochs"] == 7
    assert run.runtime_config.pipeline_root == "s3://artifacts"
    assert run.service_account == "trainer"


def test_the_cache_is_off_in_every_step_also_inside_the_exit_handler(done, server, project):
    assert {"ingest", "trainer", "pusher"} <= cached_tasks({"pipeline_spec": TRAINING.spec})
    done("submit", project, "--no-cache")
    assert cached_tasks(only(server.runs).pipeline_spec) == set()


def test_pipelines_with_ones_own_images(done, server, project, tmp_path):
    text = (COMPILED / "training.yaml").read_text()
    (tmp_path / "training.yaml").write_text(text.replace("image: headrace/", "image: my/"))
    done("submit", project, "--compiled", tmp_path)
    executors = only(server.runs).pipeline_spec["deploymentSpec"]["executors"].values()
    assert {e["container"]["image"].partition("/")[0] for e in executors} == {"my"}


def test_the_projects_platform_settings_arrive_in_both_documents(done, server, project):
    digest = "registry.example/core@sha256:" + 64 * "1"
    done(
        *("submit", project, "--set", "platform.steps.trainer.memory.limit=64G"),
        *("--set", "platform.steps.all.node_selector={pool: ml}"),
        *("--set", f"platform.images.core={digest}"),
    )
    sent = only(server.runs).pipeline_spec
    executors = sent["pipeline_spec"]["deploymentSpec"]["executors"]
    assert executors["exec-trainer"]["container"]["resources"]["resourceMemoryLimit"] == "64G"
    assert executors["exec-ingest"]["container"]["image"] == digest
    pods = sent["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert pods.keys() == executors.keys()
    assert {pod["nodeSelector"]["labels"]["pool"] for pod in pods.values()} == {"ml"}


def test_a_server_that_knows_too_little_is_not_asked(refused, server, project):
    error = refused("submit", project, "--set", "platform.runs.timeout=3600")
    assert "activeDeadlineSeconds` needs backend 2.17" in error.message
    assert "`backend_version`" in error.fix
    assert server.requests == []


def test_pipelines_of_another_version(refused, server, project, tmp_path):
    missing = refused("submit", project, "--compiled", tmp_path)
    assert str(tmp_path / "training.yaml") in missing.message
    text = (COMPILED / "training.yaml").read_text()
    (tmp_path / "training.yaml").write_text(text.replace("model_code", "code_of_model"))
    error = refused("submit", project, "--compiled", tmp_path)
    assert "compiled by another version" in error.message
    assert "code_of_model, model_code" in error.message
    assert "headrace compile" in error.fix
    assert server.requests == []


def test_an_experiment_is_used_again(done, server, project):
    done("submit", project)
    done("submit", project)
    assert len(server.runs) == 2
    assert len(server.experiments) == 1


@pytest.mark.parametrize(
    ("setting", "message", "fix"),
    [
        ("sources.trips={path: rows.csv}", "'trips' has the path rows.csv, relative", "s3://"),
        ("sources.trips={path: 'package://tfx/x.csv'}", "a Python package", "--data-in-image"),
        ("serving.destination=models", "models, a folder of this machine", "s3://bucket/models"),
        ("serving.destination=/srv/models", "a folder of this machine", "file:///mnt/models"),
    ],
)
def test_places_of_this_machine_are_refused_before_anything_is_sent(
    refused, server, project, setting, message, fix
):
    error = refused("submit", project, "--set", setting)
    assert isinstance(error, ConfigError)
    assert message in error.message
    assert fix in error.fix
    assert server.requests == []


def test_data_inside_the_image_may_be_asked_for(done, server, project):
    setting = "sources.trips={path: 'package://headrace/__init__.py'}"
    done("submit", project, "--set", setting, "--data-in-image")
    sent = only(server.runs).runtime_config.parameters
    assert sent["sources"]["trips"]["path"] == "package://headrace/__init__.py"


def test_wait_ends_with_the_run(command, server, project):
    server.scripts["next"] = [
        ("RUNNING", {"ingest": "RUNNING"}),
        ("SUCCEEDED", {"ingest": "SUCCEEDED", "ingest-driver": "SUCCEEDED"}),
    ]
    result = command("submit", project, "--wait", "--every", "0.01")
    assert result.exit_code == 0
    assert "▶ ingest  running" in result.output
    assert "✔ ingest  succeeded" in result.output
    assert "ingest-driver" not in result.output
    assert "1/21 steps" in result.output


def test_a_failed_run_is_exit_code_1_with_the_reason(command, server, project):
    server.scripts["next"] = [("FAILED", {"ingest": "FAILED"})]
    result = command("submit", project, "--wait", "--every", "0.01")
    assert result.exit_code == 1
    assert "✘ ingest: ingest went wrong" in result.output


def test_ctrl_c_leaves_the_run_alone_and_is_exit_code_130(server, project):
    server.scripts["next"] = [("RUNNING", {"ingest": "RUNNING"})]
    headrace = Path(sys.executable).with_name("headrace")
    waiting = subprocess.Popen(
        [headrace, "submit", project, "--host", server.url, "--wait", "--every", "0.05"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    deadline = time.monotonic() + 30
    while not server.asked("GET", "/runs/.+") and time.monotonic() < deadline:
        time.sleep(0.05)
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130, err
    assert "The run goes on" in err
    assert server.asked("POST", ":terminate") == 0


def test_materialization_needs_a_shared_place_for_tables(refused, done, server, project):
    assert (
        "has no feature store"
        in refused(
            *("submit", project, "--pipeline", "materialization", "--feature-root", "s3://features")
        ).message
    )
    (project / "repo").mkdir()
    (project / "repo" / "feature_store.yaml").write_text("project: taxi\n")
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(f"{text}feature_store: {{repo: repo, service: s}}\n")
    wrong = refused("submit", project, "--pipeline", "materialization")
    assert "must reach the Feast repository's tables and registry; got no place" in wrong.message
    done("submit", project, "--pipeline", "materialization", "--feature-root", "s3://features")
    run = only(server.runs)
    assert run.pipeline_spec["pipeline_spec"]["pipelineInfo"]["name"] == "materialization"
    assert run.runtime_config.parameters["root"] == "s3://features"


def test_batch_inference_runs_on_a_cluster(refused, done, server, project):
    pushed = ("submit", project, "--pipeline", "batch_inference")
    pushed += ("--set", "serving.destination=s3://models", "--rows", "s3://rows/*.parquet")
    wrong = refused(*pushed, "--predictions", "/srv/predictions")
    assert "must reach the predictions; got /srv/predictions" in wrong.message
    assert "--predictions, such as s3://bucket/folder" in wrong.fix
    done(*pushed, "--predictions", "s3://predictions")
    run = only(server.runs)
    assert run.pipeline_spec["pipeline_spec"]["pipelineInfo"]["name"] == "batch-inference"
    sent = run.runtime_config.parameters
    assert (sent["rows"], sent["destination"]) == ("s3://rows/*.parquet", "s3://predictions")
    assert (sent["models"], sent["root"]) == ("s3://models", "")
