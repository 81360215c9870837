import importlib.util

import pytest


@pytest.fixture
def lock(scripts):
    spec = importlib.util.spec_from_file_location("lock", scripts / "lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_uv_the_message_says_how_to_get_it(lock, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(lock, "UV", tmp_path / "uv")
    assert lock.main() == 1
    assert capsys.readouterr().err == "lock: .venv has no uv; run `make setup` first.\n"


def test_every_lock_is_resolved_with_this_machines_certificates(lock, monkeypatch, tmp_path):
    log = tmp_path / "log"
    fake = tmp_path / "uv"
    fake.write_text(f'#!/bin/sh\necho "$UV_SYSTEM_CERTS $*" >> {log}\n')
    fake.chmod(0o755)
    monkeypatch.setattr(lock, "UV", fake)
    assert lock.main() == 0
    options = " ".join(lock.OPTIONS)
    assert log.read_text().splitlines() == [
        f"1 pip compile setup.py --all-extras {options} --output-file requirements/lock.txt",
        *(
            f"1 pip compile requirements/{name}.in {options} --output-file requirements/{name}.txt"
            for name in (
                *("bootstrap", "gpu", "airflow", "checks"),
                *("peers-kserve", "peers-mlserver", "peers-bentoml"),
            )
        ),
    ]


def test_a_resolution_that_fails_ends_it(lock, monkeypatch, tmp_path, capsys):
    fake = tmp_path / "uv"
    fake.write_text("#!/bin/sh\nexit 2\n")
    fake.chmod(0o755)
    monkeypatch.setattr(lock, "UV", fake)
    assert lock.main() == 2
    assert capsys.readouterr().err == "lock: requirements/lock.txt is unchanged.\n"
