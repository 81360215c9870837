import subprocess
import sys
from pathlib import Path

import pytest

from headrace.cli.init import Task
from headrace.pipelines.local.home import Home

HEADRACE = str(Path(sys.executable).with_name("headrace"))


@pytest.mark.e2e
@pytest.mark.parametrize("task", list(Task))
def test_a_new_project_runs_as_it_is_and_is_pushed(tmp_path, task):
    folder = tmp_path / "parcels"
    subprocess.run([HEADRACE, "init", str(folder), "--task", task.value], check=True)
    result = subprocess.run(
        [HEADRACE, "run", str(folder)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    record = Home(folder / ".headrace").find("latest")
    gates = ("example-validator", "leakage-check", "evaluator", "challenger", "infra-validator")
    assert {name: record.tasks[name].blessed for name in gates} == dict.fromkeys(gates, True)
    assert (folder / ".headrace/models/parcels/1/saved_model.pb").is_file()
