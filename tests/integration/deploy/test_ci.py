"""Workflows and Jenkinsfile are valid, and every command in them is there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from headrace.cli.main import app

from ..cluster.server import FakeKfp
from ..environments import ROOT
from .conftest import ENVIRONMENTS

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
JENKINSFILE = ROOT / "Jenkinsfile"
SCRIPT = "pipelines/deploy/ci.sh"
#: Programs of the machines that run jobs.
SYSTEM = {"apt-get", "docker", "echo", "git"}


def jobs(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()


def github_commands():
    runs = [
        step["run"]
        for path in WORKFLOWS
        for job in jobs(path)
        for step in job["steps"]
        if "run" in step
    ]
    return [line for run in runs for line in run.replace("\\\n", " ").splitlines()]


def jenkins_commands():
    return re.findall(r"\bsh '([^']+)'", JENKINSFILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_what_github_takes(path, programs):
    command = [programs / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_rights_are_named(path):
    text = path.read_text(encoding="utf-8")
    uses = re.findall(r"uses: (.*)", text)
    assert uses
    assert [use for use in uses if not re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", use)] == []
    assert yaml.safe_load(text)["permissions"]
    # What people can type must not become part of a command.
    assert not re.search(r"run:.*\$\{\{", text)


def test_the_jenkinsfile_is_groovy(programs):
    code = (
        "import sys; from groovy_parser.parser import parse_groovy_content as parse;"
        "parse(open(sys.argv[1]).read())"
    )
    command = [programs / "python", "-c", code, JENKINSFILE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("line", sorted({*github_commands(), *jenkins_commands()}))
def test_commands_exist(line):
    program, *words = shlex.split(line)
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words) <= set(targets)
    elif program == SCRIPT:
        assert f"\n{words[0]}() {{" in (ROOT / SCRIPT).read_text()
    elif program == ".venv/bin/headrace":
        assert CliRunner().invoke(app, [words[0], "--help"]).exit_code == 0
        assert all((ROOT / word).exists() for word in words[1:])
    elif "/" in program:
        assert os.access(ROOT / program, os.X_OK)
    else:
        assert program in SYSTEM


def test_jenkins_does_what_github_does():
    def ours(commands):
        return {" ".join(c.split()[:2]) for c in commands if c.startswith((SCRIPT, "make", "."))}

    assert ours(jenkins_commands()) == ours(github_commands())


@pytest.fixture
def repository(tmp_path):
    """A clone with the overlays of this one, an origin to push to, and a `gh` that takes notes."""
    clone = tmp_path / "clone"
    for folder in ("serving/deploy/overlays", "pipelines/deploy/overlays"):
        shutil.copytree(ROOT / folder, clone / folder)
    shutil.copy(ROOT / SCRIPT, clone / SCRIPT)
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "gh").write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/requests\n')
    (commands / "gh").chmod(0o755)
    identity = {
        f"GIT_{who}_{what}": "t@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **identity, "PATH": f"{commands}:{os.environ['PATH']}"}

    def run(*words, check=True, **more):
        done = subprocess.run(
            words, cwd=clone, env={**environment, **more}, capture_output=True, text=True
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "origin"))
    run("git", "init", "--quiet", "--initial-branch=main")
    run("git", "remote", "add", "origin", str(tmp_path / "origin"))
    run("git", "add", ".")
    run("git", "commit", "--quiet", "--message", "Start")
    return run


def images(clone: Path, environment: str) -> list[str]:
    files = [
        clone / p / "deploy/overlays" / environment / "images/kustomization.yaml"
        for p in ("serving", "pipelines")
    ]
    entries = [yaml.safe_load(file.read_text())["images"] for file in files]
    return [
        f"{e['newName']}@{e['digest']}"
        for es in entries
        for e in es
        if e["name"] == "headrace/project"
    ]


def test_a_release_goes_from_one_environment_to_the_next(repository, tmp_path):
    clone = tmp_path / "clone"
    refused = repository(SCRIPT, "promote", "staging", check=False)
    assert refused.returncode == 1
    assert "dev has no image yet" in refused.stderr
    built = f"registry.example:5000/team/project@sha256:{'b' * 64}"
    (clone / "build/images").mkdir(parents=True)
    (clone / "build/images/project.txt").write_text(built + "\n")
    others = {environment: images(clone, environment) for environment in ENVIRONMENTS[1:]}
    repository(SCRIPT, "dev")
    assert images(clone, "dev") == [built, built]
    assert {environment: images(clone, environment) for environment in others} == others
    models = clone / "serving/deploy/overlays/staging/models.config"
    models.write_text(models.read_text().replace("versions: 1", "versions: 2"))
    for environment in ENVIRONMENTS[1:]:
        repository(SCRIPT, "promote", environment)
        assert images(clone, environment) == [built, built]
    assert (models.parents[1] / "prod/models.config").read_text() == models.read_text()


def test_a_promotion_is_proposed_as_a_pull_request(repository, tmp_path):
    assert "nothing changed" in repository(SCRIPT, "propose", "prod-1").stdout
    file = tmp_path / "clone/serving/deploy/overlays/prod/images/kustomization.yaml"
    file.write_text(file.read_text().replace("0" * 64, "c" * 64))
    repository(SCRIPT, "propose", "prod-1")
    shown = repository("git", "--git-dir", str(tmp_path / "origin"), "show", "deploy/prod-1")
    assert f"+    digest: sha256:{'c' * 64}" in shown.stdout
    assert "pr create --title Deploy prod-1" in (tmp_path / "requests").read_text()


def test_pipelines_are_compiled_for_the_images_and_uploaded(repository, tmp_path):
    """All but Docker is real: it leaves behind what `images.py build --push` would."""
    clone, names = tmp_path / "clone", {"core": "c", "tfx": "f", "serving": "e"}
    built = {r: f"registry.example/{r}@sha256:{digit * 64}" for r, digit in names.items()}
    left_out = shutil.ignore_patterns(".headrace", "data", "__pycache__")
    for folder in ("examples/flights", "feature_repo"):
        shutil.copytree(ROOT / folder, clone / folder, ignore=left_out)
    programs, results = clone / ".venv/bin", clone / "build/images"
    for folder in (programs, results):
        folder.mkdir(parents=True)
    (programs / "headrace").symlink_to(Path(sys.executable).parent / "headrace")
    python = programs / "python"
    python.write_text(f"#!/bin/sh\necho '{json.dumps(built)}' > {results}/images.json\n")
    python.chmod(0o755)
    done = repository(SCRIPT, "images", REPOSITORY="registry.example")
    assert "0 errors and 0 warnings" in done.stdout
    text = (clone / "build/compiled/training.yaml").read_text()
    assert set(re.findall(r"image: (\S+)", text)) == {built["core"], built["tfx"]}
    assert "mountPath: /mnt/models" in text
    with FakeKfp() as server:
        repository(SCRIPT, "upload", HEADRACE_KFP_HOST=server.url, VERSION="v1.2.3")
        found = {p.display_name for p in server.pipelines.values()}
        versions = [version.display_name for version in server.versions.values()]
    assert found == {path.stem for path in (clone / "build/compiled").glob("*.yaml")}
    assert set(versions) == {"v1.2.3"}
    assert len(versions) == len(found)


def test_a_wrong_step_shows_the_steps(repository):
    done = repository(SCRIPT, "deploy", check=False)
    assert done.returncode == 2
    assert "ci.sh promote ENV" in done.stderr
