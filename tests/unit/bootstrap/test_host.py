import pytest
from bootstrap import host as module
from bootstrap.host import Host, Strategy, UnsupportedHostError, decide

WHAT_WORKS = (
    "What works: Debian 13, Ubuntu 24.04 or newer; Debian 12 and Ubuntu 22.04 with apt; or, "
    "anywhere with a container engine, any x86_64 image with glibc 2.39 or newer and Python 3.11 "
    "to 3.13, such as debian:trixie or ubuntu:24.04."
)


@pytest.mark.parametrize(
    ("facts", "strategy"),
    [
        ({"codename": "trixie", "glibc": (2, 41), "python": (3, 13)}, Strategy.PLAIN),
        (
            {
                "distribution": "ubuntu",
                "codename": "noble",
                "glibc": (2, 39),
                "python": (3, 12),
            },
            Strategy.PLAIN,
        ),
        # A new enough glibc is all that counts: no apt is needed for it.
        (
            {"distribution": "fedora", "codename": "", "glibc": (2, 40), "tools": frozenset()},
            Strategy.PLAIN,
        ),
        ({}, Strategy.RUNTIME),
        (
            {"distribution": "ubuntu", "codename": "jammy", "glibc": (2, 35)},
            Strategy.RUNTIME,
        ),
    ],
    ids=["Debian 13", "Ubuntu 24.04", "Fedora", "Debian 12", "Ubuntu 22.04"],
)
def test_what_is_set_up_where(make_host, facts, strategy):
    assert decide(make_host(**facts)) is strategy


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (
            {"system": "Darwin", "machine": "arm64", "glibc": None},
            "Linux on x86_64 is required; this is Darwin on arm64.",
        ),
        (
            {"machine": "aarch64"},
            "Linux on x86_64 is required; this is Linux on aarch64.",
        ),
        (
            {"python": (3, 9)},
            "Python 3.11 up to, not including, 3.14 is required; this is Python 3.9. "
            "Install one and run `make setup PYTHON=python3.11`.",
        ),
        (
            {"python": (3, 14)},
            "Python 3.11 up to, not including, 3.14 is required; this is Python 3.14. "
            "Install one and run `make setup PYTHON=python3.11`.",
        ),
        (
            {"distribution": "alpine", "codename": "", "glibc": None},
            "The GNU C library is required; this Python uses another one.",
        ),
        (
            {"distribution": "rhel", "codename": "", "glibc": (2, 34), "tools": frozenset()},
            "TFDV and ml-metadata need glibc 2.39 or newer; this is glibc 2.34 on rhel, "
            "for which no newer release to borrow it from is known.",
        ),
        (
            {"distribution": "", "codename": "", "glibc": (2, 31)},
            "TFDV and ml-metadata need glibc 2.39 or newer; this is glibc 2.31 on an unknown "
            "distribution, for which no newer release to borrow it from is known.",
        ),
        (
            {"tools": frozenset({"dpkg-deb"})},
            "TFDV and ml-metadata need glibc 2.39 or newer; this is glibc 2.36 on debian bookworm, "
            "and a local copy cannot be fetched because apt-get is missing.",
        ),
        (
            {"keyring": False},
            "TFDV and ml-metadata need glibc 2.39 or newer; this is glibc 2.36 on debian bookworm, "
            "and a local copy cannot be fetched because "
            "/usr/share/keyrings/debian-archive-keyring.gpg is missing.",
        ),
    ],
    ids=[
        "macOS",
        "arm64",
        "Python 3.9",
        "Python 3.14",
        "musl",
        "RHEL 9",
        "unknown",
        "no apt",
        "no keyring",
    ],
)
def test_elsewhere_the_message_names_the_requirement_and_what_works(make_host, facts, reason):
    with pytest.raises(UnsupportedHostError) as caught:
        decide(make_host(**facts))
    assert str(caught.value) == f"{reason}\n{WHAT_WORKS}"


def test_the_facts_of_this_machine_can_be_read():
    host = Host.detect()
    assert host.system == "Linux"
    assert host.python >= (3, 11)


@pytest.mark.parametrize(
    ("answer", "version"),
    [("glibc 2.41", (2, 41)), ("musl 1.2", None), ("", None), (None, None)],
)
def test_the_c_library_is_told_by_its_own_word(monkeypatch, answer, version):
    monkeypatch.setattr(module.os, "confstr", lambda name: answer)
    assert module._glibc_version() == version


def test_a_c_library_that_does_not_know_the_question_is_another_one(monkeypatch):
    def refuse(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(module.os, "confstr", refuse)
    assert module._glibc_version() is None
