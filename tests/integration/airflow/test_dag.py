"""The DAG in a real Airflow of its own environment: loaded, and run once for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..environments import ROOT, environment

DAGS = ROOT / "pipelines" / "deploy" / "airflow"
HEADRACE = Path(sys.executable).parent / "headrace"
Airflow = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory) -> Airflow:
    """Calls `airflow` on a database of its own; keywords are Airflow's variables."""
    program = environment("airflow") / "airflow"
    home = tmp_path_factory.mktemp("airflow")
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }

    def call(*words: str, **variables: object) -> subprocess.CompletedProcess[str]:
        given = {f"AIRFLOW_VAR_{name.upper()}": str(value) for name, value in variables.items()}
        return subprocess.run(
            [program, *words],
            env={**os.environ, **settings, **given},
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    done = call("db", "migrate")
    assert done.returncode == 0, done.stdout
    return call


@pytest.fixture
def project(tmp_path) -> Path:
    """Housing, trained for as long as a test may."""
    names = shutil.ignore_patterns(".headrace", "__pycache__")
    folder = shutil.copytree(ROOT / "examples" / "housing", tmp_path / "housing", ignore=names)
    file = folder / "project.yaml"
    text = file.read_text().replace("epochs: 120", "epochs: 10").replace("max: 8.0", "max: 100.0")
    file.write_text(text)
    return folder


def test_it_trains_and_pushes_a_model(airflow, project):
    done = airflow(
        "dags", "test", "headrace_training", headrace_command=HEADRACE, headrace_project=project
    )
    assert done.returncode == 0, done.stdout
    assert "state=success" in done.stdout
    assert (project / ".headrace/models/housing/1/saved_model.pb").is_file()


def test_a_model_that_a_gate_refused_is_no_failure(airflow, tmp_path):
    """Also: on Kubeflow the task submits and waits."""
    command = tmp_path / "headrace"
    command.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/words\nexit 3\n')
    command.chmod(0o755)
    done = airflow(
        "dags",
        "test",
        "headrace_training",
        headrace_command=command,
        headrace_project="/projects/taxi",
        headrace_target="kubeflow",
    )
    assert done.returncode == 0, done.stdout
    assert "Bash command returned exit code 3. Skipping." in done.stdout
    assert (tmp_path / "words").read_text() == "submit /projects/taxi --wait\n"
