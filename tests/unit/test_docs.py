"""The documentation is in step with the code: the reference, the links, the commands."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from headrace.components.shared.config.project import Project
from headrace.serving.gateway.config import GatewayConfig

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def generator():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import generate_docs

        yield generate_docs
    finally:
        sys.path.remove(str(ROOT / "scripts"))


def test_project_reference_is_what_the_generator_writes(generator):
    text = (ROOT / "docs" / "project.md").read_text(encoding="utf-8")
    assert text == generator.render(), "run `make docs` and commit the result"


def test_every_key_is_explained(generator):
    unexplained = [
        f"{part.title}.{key.name}"
        for part in generator.parts()
        for key in part.keys
        if not key.description
    ]
    assert not unexplained


def test_every_section_of_the_project_has_a_part(generator):
    titles = {part.title for part in generator.parts()}
    assert {"label", "split", "sources.<name>.clean", "evaluation.thresholds.<name>"} <= titles


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page):
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [target for target in targets if "://" not in target]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert not missing


def _blocks(language):
    pattern = re.compile(rf"```{language}\n(.*?)```", re.DOTALL)
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in PAGES
        for number, block in enumerate(pattern.findall(page.read_text(encoding="utf-8")))
    ]


@pytest.mark.parametrize("block", _blocks("yaml"))
def test_yaml_examples_are_valid(block):
    values = yaml.safe_load(block)
    if "models" in values:
        GatewayConfig.parse(values, where="the example")
        return
    # A fragment stands for a whole file: what it leaves out does not matter here.
    whole = {"name": "example", "label": {"column": "y"}, "sources": {"rows": {"path": "rows.csv"}}}
    Project.parse({**whole, **values}, where="the example")


@pytest.mark.parametrize("block", _blocks("python"))
def test_python_examples_compile(block):
    compile(block, "example", "exec")


@pytest.mark.parametrize("block", _blocks("bash"))
def test_commands_exist(block):
    from headrace.cli.main import app

    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for line in block.replace("\\\n", " ").splitlines():
        # An argument in quotes may go on over lines; the commands checked here never do.
        words = shlex.split(line, comments=True) if line.count("'") % 2 == 0 else [""]
        if words[:1] == ["make"]:
            assert {word for word in words[1:] if "=" not in word} <= set(targets), line
        if words[:1] and Path(words[0]).name == "headrace":
            _check_command(app, words[1:], line)


def _check_command(app, words, line):
    command = [word for word in words[:2] if word.isalpha() and "/" not in word]
    groups = {"edge", "features", "models", "predict", "remote", "runs", "schedule"}
    command = command if groups.intersection(command[:1]) else command[:1]
    command += ["--all"] if words[:2] == ["serve", "--all"] else []
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, line
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert option in shown.output, f"{line}: no option {option}"
