import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.components.shared.errors import ConfigError
from headrace.pipelines.compile import COMPILED
from headrace.pipelines.lint import linter, reading, rules
from headrace.pipelines.lint.model import NEWEST, Settings, parse_version, show_version

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "lint.md"


@pytest.fixture
def write(tmp_path, draft):
    """Writes the draft; `error` and `warning` say what is wrong with it."""

    def to(name="pipeline.yaml", *, error=False, warning=False):
        if error:
            draft.document["schemaVersion"] = "2.0.0"
        if warning:
            draft.container()["image"] = "host/step:1%"
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(draft.document), encoding="utf-8")
        return str(path)

    return to


def run(*words):
    return CliRunner().invoke(app, ["lint", *words], env={"COLUMNS": "60"})


def line_of(path, text):
    return Path(path).read_text(encoding="utf-8").splitlines().index(text) + 1


@pytest.mark.parametrize(
    ("error", "warning", "options", "code"),
    [
        (False, False, [], 0),
        (False, True, [], 0),
        (False, True, ["--strict"], 1),
        (False, False, ["--strict"], 0),
        (True, False, [], 1),
        (True, False, ["--target", "vertex"], 0),
        (True, False, ["--ignore", "HR006"], 0),
        (True, True, ["--ignore", "schema-version", "--ignore", "hr203", "--strict"], 0),
    ],
)
def test_exit_codes(write, error, warning, options, code):
    result = run(write(error=error, warning=warning), *options)
    assert result.exit_code == code, result.output


def test_text(write):
    path = write(error=True, warning=True)
    assert run(path).output == (
        f"{path}\n"
        "  ✘ HR006 schema-version\n"
        "    the whole file\n"
        "    The schema version is 2.0.0; only 2.1.0 is taken.\n"
        "    Compile the pipeline with KFP's SDK 2.0 or newer.\n"
        "  ! HR203 unpinned-image\n"
        "    use\n"
        "    Image `host/step:1%` is not pinned by digest.\n"
        "    Name it by digest: host/step@sha256:…\n"
        "\n"
        "1 error and 1 warning in 1 file.\n"
    )


def test_text_of_a_clean_file(write):
    path = write()
    assert run(path).output == (
        f"{path}\n  ✓ nothing found\n\n0 errors and 0 warnings in 1 file.\n"
    )


def test_text_shows_what_is_alike_once(write, draft):
    draft.container("make")["image"] = "host/step:1%"
    shown = run(write(warning=True)).output
    assert shown.count("HR203") == 1
    assert "\n    make, use\n" in shown
    assert "2 warnings" in shown


def test_square_brackets_are_text(write, draft):
    draft.container()["image"] = "host/[red]step:1"
    assert "`host/[red]step:1`" in run(write()).output


def test_json(write):
    path = write(warning=True)
    assert json.loads(run(path, "--format", "json").output) == {
        "files": 1,
        "errors": 0,
        "warnings": 1,
        "findings": [
            {
                "file": path,
                "line": line_of(path, "      use:"),
                "task": "use",
                "rule": "HR203",
                "name": "unpinned-image",
                "severity": "warning",
                "message": "Image `host/step:1%` is not pinned by digest.",
                "fix": "Name it by digest: host/step@sha256:…",
            }
        ],
    }


def test_github(write):
    path = write("a,b.yaml", error=True, warning=True)
    file, line = path.replace(",", "%2C"), line_of(path, "      use:")
    assert run(path, "--format", "github").output == (
        f"::error file={file},title=HR006 schema-version::The schema version is 2.0.0; "
        "only 2.1.0 is taken. Compile the pipeline with KFP's SDK 2.0 or newer.\n"
        f"::warning file={file},line={line},title=HR203 unpinned-image::use: "
        "Image `host/step:1%25` is not pinned by digest. Name it by digest: host/step@sha256:…\n"
    )


def test_files_folders_and_patterns(write, tmp_path):
    first, second = write("a.yaml"), write("more/b.yml")
    shutil.copy(first, tmp_path / "more" / "c.txt")
    assert reading.expand([str(tmp_path)]) == [Path(first), Path(second)]
    assert reading.expand([str(tmp_path / "**" / "*.y*ml"), first]) == [Path(first), Path(second)]
    assert reading.expand([str(tmp_path / "more" / "c.txt")]) == [tmp_path / "more" / "c.txt"]


def test_a_file_whose_name_is_a_pattern(write):
    path = write("a[1].yaml")
    assert reading.expand([path]) == [Path(path)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.yaml", "The file cannot be read: No such file or directory."),
        ("*.none", "The file cannot be read: No such file or directory."),
        (".", "The folder holds no YAML or JSON file."),
    ],
)
def test_a_name_behind_which_there_is_nothing(tmp_path, name, message):
    result = run(str(tmp_path / name))
    assert result.exit_code == 1
    assert f"✘ HR001 unreadable-file\n    the whole file\n    {message}\n" in result.output


def test_an_unknown_rule_and_version():
    with pytest.raises(ConfigError) as unknown:
        linter.rule_ids(["HR21"])
    assert unknown.value.message == "There is no rule `HR21`."
    assert re.fullmatch(r"Did you mean `HR\d+`\?", unknown.value.fix)
    with pytest.raises(ConfigError, match=r"`two` is not a version of the backend\."):
        parse_version("two")


@pytest.mark.parametrize(
    ("text", "version"), [("2.14", (2, 14, 0)), ("2.16.1", (2, 16, 1)), ("v2.17", NEWEST)]
)
def test_versions(text, version):
    assert parse_version(text) == version
    assert show_version(version) == text.removeprefix("v")


def test_our_own_pipelines_have_no_errors_and_one_known_warning():
    """Images get their digest when somebody builds them."""
    results = linter.lint([str(COMPILED)], Settings())
    assert len(results) == len(list(COMPILED.glob("*.yaml")))
    assert {(f.severity, f.rule) for found in results.values() for f in found} <= {
        ("warning", "HR203"),
    }


def test_every_rule_is_told_apart_and_gives_a_reason():
    assert len({rule.id for rule in rules.ALL}) == len({rule.name for rule in rules.ALL})
    assert all(re.fullmatch(r"HR\d{3}", rule.id) for rule in rules.ALL)
    assert all(rule.why.endswith(".") for rule in rules.ALL)


def test_the_page_explains_every_rule():
    rows = re.findall(r"^\| (HR\d{3}) `([\w-]+)` \| (\w+) \|", PAGE.read_text("utf-8"), re.M)
    assert sorted(rows) == sorted((rule.id, rule.name, str(rule.severity)) for rule in rules.ALL)
