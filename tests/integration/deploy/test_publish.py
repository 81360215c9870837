"""The job that publishes a pipeline, run against a server that speaks KFP's API."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.pipelines.compile import COMPILED

from ..cluster.server import FakeKfp
from .conftest import PIPELINES
from .test_manifests import of_kind

PROJECT = """\
name: taxi
label: {column: late, task: binary_classification}
sources:
  trips: {format: sql, url: "postgresql://db/trips", query: SELECT * FROM trips}
"""


@pytest.fixture
def publish(tmp_path, render):
    """Runs the job's script as production's manifests say, on a project of the test's own."""
    configs = of_kind(render(PIPELINES / "overlays" / "prod"), "ConfigMap")
    settings, script = (
        next(c["data"] for name, c in configs.items() if name.startswith(prefix))
        for prefix in ("pipeline-", "publish-")
    )
    (tmp_path / "publish.sh").write_text(script["publish.sh"])
    project = tmp_path / settings["PROJECT"]
    project.mkdir(parents=True)
    (project / "project.yaml").write_text(PROJECT)
    (project / "preprocessing.py").write_text("def preprocessing_fn(inputs):\n    return inputs\n")
    (project / "model.py").write_text("def build_model(hp, transform):\n    return None\n")
    headrace = Path(sys.executable).parent / "headrace"

    def run(server):
        inside = {"HEADRACE_KFP_TOKEN_FILE", "HEADRACE_KFP_HOST", "HEADRACE_KFP_COMPILED"}
        assert inside <= set(settings)
        environment = {
            **{key: value for key, value in settings.items() if key not in inside},
            "PATH": f"{headrace.parent}{os.pathsep}{os.environ['PATH']}",
            "HEADRACE_KFP_HOST": server.url,
            "HEADRACE_KFP_COMPILED": str(COMPILED),
            "HOME": str(tmp_path),
        }
        command = ["sh", "publish.sh"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    return run


def test_again_and_again_leaves_one_version_and_one_schedule(publish):
    with FakeKfp() as server:
        for _ in range(2):
            done = publish(server)
            assert done.returncode == 0, done.stdout + done.stderr
        (pipeline,) = server.pipelines.values()
        (schedule,) = server.schedules.values()
        assert len(server.versions) == 1
    assert pipeline.display_name == schedule.display_name == "flights"
    assert schedule.trigger.cron_schedule.cron == "0 30 6 * * *"
    assert schedule.service_account == "pipeline-runner"
    assert schedule.runtime_config.parameters["serving_destination"] == "file:///mnt/models"


def test_a_server_that_refuses_fails_the_job(publish):
    with FakeKfp() as server:
        server.fail("recurringruns", status=403, times=100)
        done = publish(server)
    assert done.returncode != 0
