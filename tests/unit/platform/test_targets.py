"""Kubeflow gets two documents, Vertex AI the first of them; the linter finds nothing in either."""

import re
from pathlib import Path

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from kfp import components
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.components.shared.config.platform import DEFAULTS, Platform
from headrace.components.shared.config.project import load
from headrace.components.shared.errors import ConfigError
from headrace.pipelines.compile import COMPILED, for_this_machine
from headrace.pipelines.lint import linter
from headrace.pipelines.lint.model import Settings, Target
from headrace.pipelines.local import spec

FOLDER = Path(__file__).parent / "project"
GOLDEN = Path(__file__).parent / "training.kubernetes.yaml"
BREAK = "---\n"


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_vertex_gets_kubeflows_first_document_to_the_byte(kubeflow, vertex):
    first, second = kubeflow.split(BREAK)
    assert vertex == first
    assert yaml.safe_load(second).keys() == {"platforms"}


def test_the_second_document_is_the_one_that_was_reviewed(kubeflow):
    """Change it with `headrace compile out --project tests/unit/platform/project`."""
    assert kubeflow.split(BREAK)[1] == GOLDEN.read_text()


def test_without_settings_the_first_document_is_the_committed_one(tmp_path):
    assert run("compile", tmp_path).exit_code == 0
    for committed in COMPILED.glob("*.yaml"):
        first, second = (tmp_path / committed.name).read_text().split(BREAK)
        assert first == committed.read_text()
        assert "activeDeadlineSeconds" in second


def test_the_linter_finds_nothing(tmp_path):
    for target in ("kubeflow", "vertex"):
        assert run("compile", tmp_path, "--target", target, "--project", FOLDER).exit_code == 0
        found = linter.lint([str(tmp_path)], Settings(target=Target(target)))
        assert [finding for findings in found.values() for finding in findings] == []
        assert len(found) == len(list(COMPILED.glob("*.yaml")))


def test_the_sdk_of_vertex_takes_its_file_and_refuses_the_other(tmp_path, kubeflow, vertex):
    from google.cloud import aiplatform

    def job(text):
        path = tmp_path / "training.yaml"
        path.write_text(text)
        return aiplatform.PipelineJob(
            display_name="flights",
            template_path=str(path),
            pipeline_root="gs://bucket/root",
            parameter_values={"project": "flights"},
            project="p",
            location="us-central1",
            credentials=AnonymousCredentials(),
        )

    assert job(vertex).to_dict()["pipelineSpec"]["pipelineInfo"]["name"] == "training"
    with pytest.raises(yaml.YAMLError, match="expected a single document"):
        job(kubeflow)


def test_vertex_says_what_it_has_no_place_for(tmp_path):
    done = run("compile", tmp_path, "--target", "vertex", "--project", FOLDER)
    assert done.exit_code == 0
    told = done.stderr
    for key in ("runs", "image_pull_secrets", "steps.ingest.volumes", "steps.trainer.tolerations"):
        assert f"platform.{key}" in told
    assert "memory" not in told and "accelerator" not in told
    assert run("compile", tmp_path, "--target", "vertex").stderr == ""


def test_images_of_the_command_line_win(tmp_path):
    core, mine = "sha256:" + 64 * "1", "mine/tfx@sha256:" + 64 * "3"
    assert run("compile", tmp_path, "-p", FOLDER, "--image", f"tfx={mine}").exit_code == 0
    pipeline = spec.load(tmp_path / "training.yaml")
    images = {executor.container.image for executor in pipeline.executors.values()}
    assert images == {mine, f"registry.example/core@{core}"}


@pytest.mark.parametrize(
    ("words", "message", "fix"),
    [
        (["--image", "core"], "core: '' is not the name of an image", "project.md"),
        (["--image", "core=a@sha256:12"], "is not the name of an image", "project.md"),
        (["--image", "cor=a"], "cor: unknown key", "Did you mean 'core'"),
        (["--set", "training.epochs=1"], "none is named", "--project"),
        (["-p", FOLDER, "--set", "platform.backend_version=v2.14"], "needs backend 2.17", "newer"),
        (["-p", FOLDER / "nowhere"], "is not a project", "headrace init"),
    ],
)
def test_what_cannot_be_compiled_writes_nothing(tmp_path, words, message, fix):
    done = run("compile", tmp_path / "out", *words)
    assert isinstance(done.exception, ConfigError)
    assert message in done.exception.message
    assert fix in done.exception.fix
    assert not (tmp_path / "out").exists()


def test_the_runner_and_stock_kfp_read_a_file_with_two_documents(tmp_path, kubeflow):
    path = tmp_path / "training.yaml"
    path.write_text(kubeflow)
    pipeline = spec.load(path)
    assert pipeline.name == "training"
    assert len(pipeline.executors) == 21
    assert components.load_component_from_file(str(path)).platform_spec.platforms["kubernetes"]


def test_a_run_here_has_the_projects_memory_and_no_foreign_images(platform):
    with for_this_machine("training", platform) as path:
        executors = spec.load(path).executors
    trainer = spec.Executor(executors["exec-trainer"])
    assert (trainer.memory_request, trainer.memory_limit) == (3 * 10**9, 64 * 2**30)
    assert {e.container.image.partition("/")[0] for e in executors.values()} == {"headrace"}
    with for_this_machine("training", Platform()) as path:
        assert path == COMPILED / "training.yaml"


def test_every_component_of_the_pipelines_has_defaults_and_no_other():
    names = {
        re.sub(r"-\d+$", "", label.removeprefix("exec-")).replace("-", "_")
        for path in COMPILED.glob("*.yaml")
        for label in spec.load(path).executors
    }
    assert names == DEFAULTS.keys()


def test_options_of_beam_reach_the_step_that_has_a_beam_pipeline(platform):
    from headrace.pipelines.training.arguments import arguments

    flights = Path(__file__).parents[3] / "examples" / "flights"
    options = platform.beam_pipeline_args["transform"]
    setting = f"platform.beam_pipeline_args.transform={options}"
    assert arguments(flights, home=Path(), overrides=[setting])["beam_args"] == options
    assert arguments(flights, home=Path())["beam_args"] == []
    assert load(flights).platform.beam_pipeline_args == {}
