"""The images, built from the last commit, and a pipeline whose every step is a container of them.

Needs a Docker daemon that can build, and base images: those that the Dockerfile names, or, where no
registry can be reached, `python scripts/images.py base` beforehand.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace import __version__

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "headrace-test"
ROLES = ("core", "tfx")
USER = "65532:65532"


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=check)


def unavailable() -> str | None:
    """Why images cannot be built here."""
    if not shutil.which("docker"):
        return "docker is not installed"
    if docker("info", "--format={{.ServerVersion}}", check=False).returncode:
        return "no Docker daemon answers"
    major = int(docker("version", "--format={{.Client.Version}}").stdout.split(".")[0])
    if major >= 23 and docker("buildx", "version", check=False).returncode:
        return "docker has no buildx, so it cannot build with BuildKit"
    return None


REASON = unavailable()
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
    pytest.mark.timeout(1500),
]


def image(role: str) -> str:
    return f"{REPOSITORY}/{role}:{__version__}"


def inside(role: str, script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script as a cluster would: not root, nothing writable but /tmp, no network."""
    locked = ("--rm", "--read-only", "--tmpfs=/tmp", "--network=none", "--cap-drop=ALL")
    return docker("run", *locked, image(role), "sh", "-c", script, check=False)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def built(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with images.json and the SBOMs."""
    target = tmp_path_factory.mktemp("images")
    local = docker("image", "inspect", "headrace-base:local", check=False).returncode == 0
    subprocess.run(
        [
            *(sys.executable, clone / "scripts/images.py", "build", *ROLES),
            *(f"--repository={REPOSITORY}", f"--target={target}"),
            *(["--local-base"] if local else []),
        ],
        check=True,
    )
    yield target
    docker("rmi", *map(image, ROLES))


@pytest.fixture(params=ROLES)
def role(built: Path, request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_the_images_are_recorded(built: Path) -> None:
    named = json.loads((built / "images.json").read_text())
    assert named == {role: image(role) for role in ROLES}


def test_labels_say_what_it_is(role: str, clone: Path) -> None:
    config = json.loads(docker("inspect", image(role)).stdout)[0]["Config"]
    labels = config["Labels"]
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=clone, text=True).strip()
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}title"] == f"headrace/{role}"
    assert labels[f"{prefix}version"] == __version__
    assert labels[f"{prefix}revision"] == head
    assert labels[f"{prefix}licenses"] == "Apache-2.0"
    assert config["User"] == USER


def test_it_runs_without_root_and_without_a_writable_disk(role: str) -> None:
    done = inside(role, "id -u && headrace --version && mktemp && ! touch /opt/headrace/x")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"65532\nheadrace {__version__}\n/tmp/")
    assert "Read-only file system" in done.stderr


def test_it_has_no_compiler_and_no_installer_of_its_own(role: str) -> None:
    done = inside(role, "ls /opt/headrace/bin; command -v gcc g++ cc make uv; true")
    names = {Path(line).name for line in done.stdout.splitlines()}
    assert "headrace" in names
    assert not names & {"gcc", "g++", "cc", "make", "uv", "pip"}


def test_imports_come_from_bytecode_in_the_image(role: str) -> None:
    code = (
        "import kfp, polars, headrace.cli.main as m, importlib.util as u, pathlib; "
        "print(all(pathlib.Path(x.__cached__).is_file() for x in (kfp, polars, m)))"
    )
    assert inside(role, f"python3 -c '{code}'").stdout == "True\n"


def test_the_sbom_is_what_is_installed(role: str, built: Path) -> None:
    sbom = json.loads((built / f"{role}.cdx.json").read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    listed = {c["name"].lower(): c["version"] for c in sbom["components"]}
    code = (
        "import json, importlib.metadata as m; "
        "print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
    )
    installed = json.loads(inside(role, f"python3 -c '{code}'").stdout)
    assert listed == installed
    assert listed["headrace"] == __version__
    assert ("tensorflow" in listed) == (role == "tfx")


def test_nothing_of_the_build_is_in_the_history(role: str) -> None:
    history = docker("history", "--no-trunc", "--format={{.CreatedBy}}", image(role)).stdout
    assert "://" not in history
    done = inside(role, "ls -A /run/secrets /src /opt/tools /root/.cache 2>/dev/null; ls /opt")
    assert done.stdout == "headrace\n"


def test_the_size(role: str, capsys: pytest.CaptureFixture[str]) -> None:
    size = int(docker("inspect", "--format={{.Size}}", image(role)).stdout)
    with capsys.disabled():
        print(f"\n{image(role)}: {size / 1e9:.2f} GB")
    assert size < {"core": 2e9, "tfx": 5e9}[role]


PROGRAM = """
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
from kfp import components, local

from headrace.pipelines.training.arguments import arguments
from headrace.serving.edge.bundle import generate_keys

project, home, user = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
private, _ = generate_keys(home)
local.init(
    local.DockerRunner(
        user=user,
        read_only=True,
        tmpfs={"/tmp": ""},
        network_mode="none",
        # A secret, as a cluster gives it to the step that signs.
        environment={"HEADRACE_EDGE_SIGNING_KEY": private.read_text()},
        mounts=[docker.types.Mount(str(home), str(home), type="bind")],
    ),
    pipeline_root=str(home / "outputs"),
    workspace_root=str(home / "workspace"),
)
pipeline = components.load_component_from_file(str(home / "training.yaml"))
pipeline(**arguments(project, home=home))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that the user in the containers may write to."""
    # Docker would make them itself, for root alone.
    for folder in (tmp_path, tmp_path / "outputs", tmp_path / "workspace"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
    return tmp_path


def test_the_pipeline_ends_blessed_and_pushed(built: Path, home: Path) -> None:
    named = json.loads((built / "images.json").read_text())
    images = " ".join(f"--image {role}={name}" for role, name in named.items())
    # The images compile their own pipeline.
    done = inside("core", f"headrace compile /tmp/out {images} >&2 && cat /tmp/out/training.yaml")
    (home / "training.yaml").write_text(done.stdout)
    user = f"{os.getuid()}:{os.getgid()}" if os.getuid() else USER
    command = [sys.executable, "-c", PROGRAM, "examples/housing", str(home), user]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]

    (run,) = (home / "outputs").glob("training-*")
    gate = json.loads((run / "model-gate" / "executor_output.json").read_text())
    assert gate["parameterValues"]["Output"] is True
    model = home / "models" / "housing" / "1" / "saved_model.pb"
    assert model.stat().st_uid == int(user.split(":")[0])
    manifest = model.parent / "assets.extra" / "headrace" / "manifest.json"
    assert json.loads(manifest.read_text())["model"] == "housing"
    bundle = model.parents[1] / "edge" / "1"
    command = [sys.executable, "-m", "headrace.cli", "edge", "verify", str(bundle)]
    subprocess.run([*command, "--public-key", str(home / "edge-public-key.pem")], check=True)
