"""The training pipeline, step by step as KFP's launcher runs it, against ``headrace run``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import compiler

from headrace.pipelines.cluster.arguments import Work, arguments
from headrace.pipelines.compile import COMPILED
from headrace.serving.edge.bundle import check_bundle, generate_keys, read_public_keys
from headrace.serving.edge.bundle.keys import PUBLIC, VARIABLE
from tests.e2e.conftest import ROOT, Outcome
from tests.e2e.launcher import container
from tests.e2e.launcher.driver import Run
from tests.e2e.launcher.habits import habits

# Twenty interpreters start: a busy machine needs its time for the first test.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]
MOUNT = "/mnt/models"
#: Not a step's own: the store's additions, and the place where the model was pushed.
NOT_COMPARED = {"display_name", "store_session_info", "external_path"}


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    if reason := container.refusal():
        pytest.skip(reason)


def training(folder: Path, root: str, **changed: Any) -> Run:
    """A run of the taxi project as `headrace submit` would ask for it, models on a volume."""
    work = Work(
        folder=ROOT / "examples" / "taxi",
        overrides=[f"serving.destination=file://{MOUNT}"],
        data_in_image=True,
    )
    models = folder / "models"
    models.mkdir()
    private, _ = generate_keys(folder / "keys")
    return Run(
        COMPILED / "training.yaml",
        {**arguments(work), **changed},
        root,
        folder,
        {models: MOUNT},
        {VARIABLE: private.read_text()},
    )


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return training(tmp_path_factory.mktemp("launched"), "minio://mlpipeline/v2/artifacts").go()


def published(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata without the store's wrapping."""
    return {
        name: next(iter(value.values())) if isinstance(value, dict) else value
        for name, value in metadata.items()
        if name not in NOT_COMPARED
    }


def test_every_component_runs_in_a_container_of_its_own(launched: Run) -> None:
    errors = {name: task.error for name, task in launched.tasks.items() if task.error}
    assert errors == {}
    assert launched.state == "COMPLETE"
    executors = yaml.safe_load(launched.package.read_text())["deploymentSpec"]["executors"]
    logs = {path.stem for path in (launched.folder / "containers").glob("*.log")}
    assert {name.removeprefix("exec-") for name in executors} == logs
    assert {task.state for task in launched.tasks.values()} == {"COMPLETE"}


def test_gates_say_what_they_say_locally(launched: Run, taxi_run: Outcome) -> None:
    steps = taxi_run.record.tasks
    here = {name: launched.tasks[name].result.parameters for name in steps}
    assert here == {name: step.outputs.parameters for name, step in steps.items()}
    assert here["model-gate"] == {"Output": True}
    assert here["pusher"]["version"] == 1


def test_metrics_are_those_of_the_local_run(launched: Run, taxi_run: Outcome) -> None:
    compared = 0
    for name, step in taxi_run.record.tasks.items():
        for output, artifact in step.outputs.artifacts.items():
            if artifact.type != "system.Metrics":
                continue
            found = launched.tasks[name].result.artifacts[output].metadata
            expected = pytest.approx(artifact.metadata, rel=1e-4)
            assert published(found) == expected, name
            compared += len(artifact.metadata)
    assert compared > 30


def test_every_artifact_that_holds_files_is_in_the_bucket(launched: Run) -> None:
    missing = {
        f"{name}: {output}": task.result.artifacts[output].schema_title
        for name, task in launched.tasks.items()
        for output in task.result.missing
    }
    assert set(missing.values()) <= {"system.Metrics", "system.ClassificationMetrics"}, missing


def test_the_pushed_version_is_the_same(launched: Run, taxi_run: Outcome) -> None:
    def manifest(models: Path) -> dict[str, Any]:
        file = models / "taxi" / "1" / "assets.extra" / "headrace" / "manifest.json"
        return json.loads(file.read_text())

    ours, theirs = manifest(launched.folder / "models"), manifest(taxi_run.home / "models")
    same = ("data_version", "features", "feature_store", "model", "version")
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert ours["digests"]["statistics"] == theirs["digests"]["statistics"]


def test_devices_get_what_the_secret_signed(launched: Run) -> None:
    keys = read_public_keys(launched.folder / "keys" / PUBLIC)
    bundle = check_bundle(launched.folder / "models" / "taxi" / "edge" / "1", keys)
    assert (bundle.model, bundle.version) == ("taxi", 1)


def test_the_exit_handler_is_told_how_it_ended(launched: Run) -> None:
    summary = launched.tasks["run-status"].result.artifacts["summary"]
    assert launched.store.path(summary.uri).read_text().startswith("# Training of taxi succeeded")


@pytest.mark.parametrize("root", ["s3://bucket/runs", "gs://bucket/runs"])
def test_other_buckets_and_a_step_that_fails(root: str, tmp_path: Path) -> None:
    code = (
        "def build_features(tables):\n    raise ValueError(f\"got {len(tables['trips'])} rows\")\n"
    )
    run = training(tmp_path, root, features_code={"features.py": code})
    assert run.go().state == "FAILED"
    tables = run.tasks["ingest"].result.artifacts["tables"]
    assert tables.uri.startswith(root)
    assert "got 14975 rows" in run.tasks["feature-builder"].error, "the tables came down"
    assert run.tasks["trainer"].state == "SKIPPED"
    assert "pusher" not in run.tasks
    summary = run.tasks["run-status"].result.artifacts["summary"]
    assert run.store.path(summary.uri).read_text().startswith("# Training of taxi failed")


def test_what_would_fail_on_a_cluster_fails_here(tmp_path: Path) -> None:
    package = tmp_path / "habits.yaml"
    compiler.Compiler().compile(habits, str(package))
    run = Run(package, {}, "minio://mlpipeline/v2/artifacts", tmp_path)
    assert run.go().state == "FAILED"
    assert run.tasks["reads-what-came-down"].result.parameters == {"Output": "rows"}
    reasons = {
        "reads-a-leftover": "No such file or directory: '/tmp/leftover'",
        "opens-the-bucket-with-tensorflow": "File system scheme 'minio' not implemented",
        "publishes-what-json-cannot-carry": "NaN is not JSON",
    }
    for name, reason in reasons.items():
        assert reason in run.tasks[name].error, name
