"""Disks that are full or read-only, and servers that are away or something else."""

import subprocess

import pytest

from headrace.components.shared.errors import StorageError
from headrace.serving.edge.bundle import BundleError
from headrace.serving.edge.device.errors import UpdateError

from .server import until


def test_a_full_disk(small, device, versions):
    filler = small / "filler"
    filler.write_bytes(b"0" * 1_300_000)
    versions.push(2)
    with pytest.raises(StorageError, match="bytes free, and the new version needs"):
        device.update()
    device.answers_with(1)
    filler.unlink()
    device.good = {1.0, 2.0}
    assert device.update().version == 2
    device.answers_with(2)


def test_a_disk_that_fills_up_on_the_way(small, device, versions, server):
    versions.push(2)
    device.good = {1.0, 2.0}
    server.pause = 0.05
    running = device.command()
    filler = (small / "filler").open("wb")
    until(lambda: server.sent.get("/2/large", 0) > 0)
    with pytest.raises(OSError, match="No space"):
        while True:
            filler.write(b"0" * 65536)
            filler.flush()
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "cannot be written: the disk is full" in said
    assert "goes on answering" in said
    device.answers_with(1)
    filler.close()
    (small / "filler").unlink()
    server.pause = 0.0
    assert device.update().version == 2


def test_a_folder_that_cannot_be_written(small, device, versions):
    versions.push(2)
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    with pytest.raises(StorageError, match="the file system is read-only"):
        device.update()
    device.answers_with(1)
    subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)


def test_the_server_is_down(device, versions, server):
    versions.push(2)
    server.down = True
    with pytest.raises(UpdateError, match=r"latest\.json answers 503"):
        device.update()
    assert len([path for path in server.asked if path == "/latest.json"]) > 2, "it tries again"
    server.close()
    with pytest.raises(UpdateError, match=r"cannot be reached: .*refused"):
        device.update()
    device.answers_with(1)


def test_a_server_that_has_something_else(device, versions, server):
    (versions.folder / "latest.json").write_text("<html>Welcome</html>")
    with pytest.raises(BundleError, match="does not name a version"):
        device.update()
    with pytest.raises(UpdateError, match=r"/7/manifest\.json answers 404"):
        device.update(version=7)
    with pytest.raises(UpdateError, match="cannot be reached"):
        device.update(url="gopher://example.com/edge")
    device.answers_with(1)
