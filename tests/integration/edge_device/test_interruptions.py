"""Updates that are interrupted: what had arrived is not transferred again, nothing is half-done."""

import signal
import subprocess

import pytest

from headrace.serving.edge.device.errors import SelfTestError, UpdateError
from headrace.serving.edge.device.model import DeviceModel

from .server import until
from .versions import LARGE


def test_a_connection_that_breaks_is_resumed(device, versions, server):
    versions.push(2)
    device.good = {1.0, 2.0}
    server.cut = {"/2/large": 150_000, "/2/manifest.json": 10}
    assert device.update().version == 2
    assert server.sent["/2/large"] == LARGE, "no byte is sent twice"
    assert server.asked.count("/2/large") == 2
    device.answers_with(2)


def test_an_update_that_gives_up_is_resumed_by_the_next(device, versions, server):
    versions.push(2)
    device.good = {1.0, 2.0}
    server.cut = {"/2/large": 150_000}
    running = device.command()
    until(lambda: server.sent.get("/2/large", 0) == 150_000)
    server.down = True
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "/2/large answers 503" in said
    device.answers_with(1)
    server.down = False
    outcome = device.update()
    assert server.sent["/2/large"] == LARGE
    assert LARGE - 150_000 <= outcome.transferred < LARGE
    device.answers_with(2)


def test_a_server_without_ranges_sends_all_again(device, versions, server):
    versions.push(2)
    device.good = {1.0, 2.0}
    server.ranges = False
    server.cut = {"/2/large": 150_000}
    assert device.update().version == 2
    assert server.sent["/2/large"] == LARGE + 150_000
    device.answers_with(2)


def test_another_version_with_the_same_number_does_not_mix_with_what_arrived(
    device, versions, server
):
    versions.push(2)
    server.cut = {"/2/large": 150_000}
    device_command_until_killed(device, server)
    versions.folder.joinpath("2").rename(versions.folder / "old")
    versions.push(2)
    device.good = {1.0, 2.0}
    assert device.update().version == 2
    device.answers_with(2)


def device_command_until_killed(device, server):
    running = device.command()
    until(lambda: server.sent.get("/2/large", 0) > 50_000)
    running.kill()
    running.wait()


def test_killed_while_it_downloads(device, versions, server):
    versions.push(2)
    device.good = {1.0, 2.0}
    server.pause = 0.05
    device_command_until_killed(device, server)
    device.answers_with(1)
    server.pause = 0.0
    outcome = device.update()
    assert (outcome.version, outcome.before) == (2, 1)
    assert outcome.transferred < LARGE, "what had arrived is not transferred again"
    device.answers_with(2)


#: A model that starts slowly, so that there is time to kill whoever starts it.
SLOW = "import time; time.sleep(1.5)"


@pytest.mark.parametrize("moment", ["while it tries the version", "after the swap"])
def test_killed(device, versions, server, moment):
    versions.push(2, starting=SLOW)
    device.good = {1.0, 2.0}
    running = device.command()
    if moment == "after the swap":
        until(lambda: device.folder.active() == 2)
    else:
        until(device.folder.path(2).is_dir)
        assert device.folder.active() == 1
    running.send_signal(signal.SIGKILL)
    running.wait()
    active = device.folder.active()
    assert active == (2 if moment == "after the swap" else 1)
    with DeviceModel(device.root, device.public_key) as fresh:
        assert fresh.predict({"x": 3.0}) == {"y": 3.0 * active}
    server.asked.clear()
    assert device.update().version == 2
    assert server.asked == ["/latest.json"], "nothing is transferred again"
    device.answers_with(2)


def test_killed_at_any_moment(device, versions, server):
    """The next update succeeds wherever the last one was killed; each gets a little further."""
    versions.push(2)
    device.good = {1.0, 2.0}
    for tenths in range(2, 40, 3):
        running = device.command()
        try:
            running.wait(timeout=tenths / 10)
            break
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        with DeviceModel(device.root, device.public_key) as fresh:
            assert fresh.predict({"x": 3.0})["y"] in (3.0, 6.0)
    assert device.update().version == 2
    device.answers_with(2)


def test_a_hanging_version_is_given_up(device, versions, monkeypatch):
    monkeypatch.setattr("headrace.serving.edge.device.trial._TIMEOUT", 1.0)
    versions.push(2, starting="import time; time.sleep(600)")
    with pytest.raises(SelfTestError, match="no result in 1 seconds"):
        device.update()
    device.answers_with(1)
    with pytest.raises(UpdateError, match="rejected"):
        device.update()
