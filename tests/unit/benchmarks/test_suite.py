import re
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import machine, suite
from benchmarks.flagship import Bench, BenchmarkError, timed
from benchmarks.measurement import Measurement, Target

README = Path(command.__file__).with_name("README.md")


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """The command with measurements that cost nothing."""

    def measurement(seconds):
        return lambda bench: Measurement(
            "fake", "s", Target(5, of="value"), ours=[seconds], note=bench.folder.name
        )

    def broken(bench):
        raise BenchmarkError("It did not [push]; its log is somewhere.")

    benchmarks = {"good": measurement(1.0), "slow": measurement(9.0), "broken": broken}
    monkeypatch.setattr(command, "BENCHMARKS", benchmarks)
    monkeypatch.setattr(command, "RESULTS", tmp_path / "latest.json")
    monkeypatch.setattr(machine, "use_cores", lambda count: None)
    return command


def test_the_exit_code_tells_whether_all_targets_are_met(fake, tmp_path, capsys):
    assert fake.main(["--only", "good"]) == 0
    assert "flights" in capsys.readouterr().out
    assert (tmp_path / "latest.json").exists()
    assert fake.main(["--only", "good", "--only", "slow"]) == 1


def test_what_does_not_work_is_said_and_the_rest_is_measured(fake, capsys):
    assert fake.main([]) == 1
    shown = capsys.readouterr().out
    assert "broken: It did not [push]; its log is somewhere." in shown
    assert "ok" in shown and "missed" in shown


def test_a_quick_run_uses_the_small_project_and_another_file(fake, tmp_path, capsys):
    assert fake.main(["--quick", "--only", "good"]) == 0
    assert "taxi" in capsys.readouterr().out
    assert (tmp_path / "taxi.json").exists()
    assert not (tmp_path / "latest.json").exists()


def test_an_unknown_name_is_refused(fake, capsys):
    with pytest.raises(SystemExit):
        fake.main(["--only", "nothing"])
    assert "choose from" in capsys.readouterr().err


def test_the_readme_names_every_measurement():
    named = set(re.findall(r"^\| `(\w+)` \|", README.read_text(), re.MULTILINE))
    assert named == set(suite.BENCHMARKS)


def test_a_command_that_fails_shows_the_end_of_its_log(tmp_path):
    code = "print('first'); print('last words'); raise SystemExit(7)"
    with pytest.raises(BenchmarkError, match=r"ended with 7:\nfirst\nlast words\nIts log is "):
        timed([sys.executable, "-c", code], tmp_path / "log")


def test_a_command_is_timed_whole(tmp_path):
    seconds = timed([sys.executable, "-c", "import time; time.sleep(0.2)"], tmp_path / "log")
    assert seconds >= 0.2


def test_a_project_that_tunes_has_no_baseline(tmp_path):
    bench = Bench(command.SMALL, tmp_path)
    tuning = bench.project.tuning.model_copy(update={"trials": 3})
    # What is cached on the instance wins over the project's file.
    vars(bench)["project"] = bench.project.model_copy(update={"tuning": tuning})
    with pytest.raises(BenchmarkError, match="The baseline has no Tuner"):
        suite.tfx_runner(bench)


def test_the_machine_is_described():
    found = machine.describe()
    assert found["cores_used"] >= 1
    assert found["packages"]["tfx"]
    assert "cores" in machine.summary(found)
    assert machine.is_busy({"load_before": 1.9, "cores_used": 2})
    assert not machine.is_busy({"load_before": 0.1, "cores_used": 2})
