"""What must hold of the Dockerfiles and of what they read, with or without Docker."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STEPS = ROOT / "pipelines/images/Dockerfile"
SERVING = ROOT / "serving/images/Dockerfile"
READ = [STEPS, SERVING, ROOT / "pipelines/images/install.sh", ROOT / "scripts/images.py"]


def instructions(path, name):
    text = path.read_text().replace("\\\n", " ")
    return re.findall(rf"^{name} +(.+)$", text, flags=re.MULTILINE)


def stages(path):
    return path.read_text().split("\nFROM ")[1:]


def test_base_images_are_named_by_digest():
    defaults = dict(value.partition("=")[::2] for value in instructions(STEPS, "ARG"))
    for argument in ("BASE_IMAGE", "BUILDER_IMAGE"):
        assert re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", defaults[argument])
    named = {f"${{{argument}}}" for argument in defaults} | {"packages"}
    for path in (STEPS, SERVING):
        for source in instructions(path, "FROM"):
            assert source.split(" AS ")[0] in named | {"${SERVING_IMAGE}"}


def test_the_last_stage_runs_nothing_and_is_not_root():
    last = stages(STEPS)[-1]
    assert "\nRUN" not in last
    assert "\nUSER 65532:65532\n" in last
    assert "USER" not in SERVING.read_text()  # stays what the image below says


def test_only_the_environment_is_taken_from_the_builder():
    copies = re.findall(r"^COPY (.+)$", stages(STEPS)[-1], flags=re.MULTILINE)
    assert copies == [
        "--from=packages /out/packages /",
        "--from=project /out/project /",
    ]


@pytest.mark.parametrize("path", READ, ids=lambda path: path.name)
def test_no_file_names_an_index(path):
    text = path.read_text()
    assert "://" not in text
    assert not re.search(r"pypi|debian\.org|simple/", text, flags=re.IGNORECASE)


def test_every_install_checks_hashes_and_keeps_to_the_lock():
    text = (ROOT / "pipelines/images/install.sh").read_text().replace("\\\n", " ")
    installs = re.findall(r"^ *(?:uv )?pip (?:install|sync) .+$", text, flags=re.MULTILINE)
    assert len(installs) == 5
    for command in installs:
        bound = (
            "--require-hashes",
            "--constraint requirements/lock.txt",
            "--constraint requirements/checks.txt",
            "--offline --no-deps --no-index",
        )
        assert any(words in command for words in bound), command


def test_gpu_packages_agree_with_the_lock():
    def pins(name):
        lines = (ROOT / "requirements" / name).read_text().splitlines()
        found = (re.match(r"([\w.-]+)==([^ ;]+)", line) for line in lines)
        return {match[1]: match[2] for match in found if match}

    gpu, lock = pins("gpu.txt"), pins("lock.txt")
    assert any(name.startswith("nvidia-cudnn") for name in gpu)
    assert {name: gpu[name] for name in gpu.keys() & lock.keys()} == {
        name: lock[name] for name in gpu.keys() & lock.keys()
    }


def test_the_build_context_is_what_is_installed():
    allowed = (ROOT / ".dockerignore").read_text().split()
    assert allowed[allowed.index("*") :][0] == "*"
    setup = (ROOT / "setup.py").read_text()
    folders = re.search(r"FOLDERS = \((.+)\)", setup)[1]
    for folder in ("headrace", *re.findall(r'"(\w+)"', folders)):
        assert f"!{folder}" in allowed
        assert folder == "headrace" or folder in (ROOT / "pipelines/images/install.sh").read_text()
