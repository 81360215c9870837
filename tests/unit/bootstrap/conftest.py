import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts"
# The bootstrap is no part of the package: it runs before anything is installed.
sys.path.insert(0, str(SCRIPTS))


@pytest.fixture
def scripts():
    return SCRIPTS


@pytest.fixture
def make_host():
    from bootstrap.host import Host

    def make(**facts):
        values = {
            "system": "Linux",
            "machine": "x86_64",
            "python": (3, 11),
            "glibc": (2, 36),
            "distribution": "debian",
            "codename": "bookworm",
            "tools": frozenset({"apt-get", "dpkg-deb"}),
            "keyring": True,
        }
        return Host(**{**values, **facts})

    return make
