"""A device with version 1 that is asked all the time, and a server with newer versions."""

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from headrace.serving.edge.bundle import check_bundle, read_public_keys
from headrace.serving.edge.device.folder import DeviceFolder
from headrace.serving.edge.device.model import DeviceModel
from headrace.serving.edge.device.update import update
from tests.support.mounts import mounted  # noqa: F401

from .server import FileServer, until
from .versions import Versions


class Device:
    """A device whose model a thread asks without a pause, from the first version to the end.

    Attributes:
        good: The answers that are allowed.
    """

    def __init__(self, root, public_key, url):
        self.root, self.public_key, self.url = root, public_key, url
        self.folder = DeviceFolder(root)
        self.good = {1.0}
        self._answers, self._errors = {}, []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def start(self):
        self.model = DeviceModel(self.root, self.public_key, interval=0.02)
        self._thread.start()

    def update(self, **options):
        return update(
            options.pop("url", self.url), self.root, read_public_keys(self.public_key), **options
        )

    def command(self, *words):
        """The same as a command of its own, running."""
        program = [sys.executable, "-m", "headrace.cli", "edge", "update", "--from", self.url]
        target = ["--to", str(self.root), "--public-key", str(self.public_key), *words]
        return subprocess.Popen([*program, *target], stderr=subprocess.PIPE, text=True)

    def answers_with(self, version):
        """Waits until the version answers, and checks that what is active is whole."""
        until(lambda: self.model.version == version)
        time.sleep(0.1)  # several looks at what is active
        assert self.model.version == version
        assert (
            check_bundle(self.folder.current, read_public_keys(self.public_key)).version == version
        )

    def end(self):
        self._done.set()
        self._thread.join()
        self.model.close()
        assert self._errors == []
        assert set(self._answers) <= self.good, self._answers
        assert self._answers[1.0] > 0

    def _ask(self):
        while not self._done.is_set():
            try:
                answer = float(self.model.predict({"x": 1.0})["y"])
                self._answers[answer] = self._answers.get(answer, 0) + 1
            except Exception as error:
                self._errors.append(error)
            time.sleep(0.0005)


@pytest.fixture(scope="session")
def first(tmp_path_factory):
    """Version 1, pushed and installed: `models`, `home`, `edge` and `device`."""
    folder = tmp_path_factory.mktemp("edge")
    script = Path(__file__).with_name("make_model.py")
    factors = ["1", "2", "3", "7", "nan"]
    (folder / "models").mkdir()
    subprocess.run([sys.executable, script, folder / "models", *factors], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HEADRACE_EDGE_SIGNING_KEY", raising=False)
        made = Versions(folder / "edge", folder / "home", folder / "models")
        made.push(1)
        keys = read_public_keys(folder / "home" / "edge-public-key.pem")
        update(made.folder.as_uri(), folder / "device", keys)
    return folder


@pytest.fixture
def versions(first, tmp_path, monkeypatch):
    monkeypatch.delenv("HEADRACE_EDGE_SIGNING_KEY", raising=False)
    for name in ("home", "edge"):
        shutil.copytree(first / name, tmp_path / name)
    return Versions(tmp_path / "edge", tmp_path / "home", first / "models")


@pytest.fixture
def server(versions):
    serving = FileServer(versions.folder)
    yield serving
    serving.close()


@pytest.fixture
def root(tmp_path):
    """The device's folder."""
    return tmp_path / "device"


@pytest.fixture
def device(first, root, versions, server):
    shutil.copytree(first / "device", root, symlinks=True, dirs_exist_ok=True)
    made = Device(root, versions.home / "edge-public-key.pem", server.url)
    made.start()
    yield made
    made.end()


@pytest.fixture
def small(request):
    """The device's folder is on a disk of 2 MB."""
    return request.getfixturevalue("mounted")("device", "2m")
