import subprocess
import sys

HEAVY = ("tensorflow", "tfx", "apache_beam", "feast", "keras")
MODULES = "runner, display, report, comparison, cleaning, home, zygote, child"


def loaded(statement, names):
    program = f"{statement}\nimport sys\nprint([n for n in {names!r} if n in sys.modules])"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_runner_loads_no_heavy_library():
    assert loaded(f"from headrace.pipelines.local import {MODULES}", (*HEAVY, "pandas")) == "[]"


def test_the_history_commands_load_next_to_nothing():
    names = (*HEAVY, "pandas", "kfp", "pydantic", "psutil", "jinja2", "google.protobuf")
    assert loaded("import headrace.cli.runs", names) == "[]"


def test_a_steps_process_starts_with_little():
    names = (*HEAVY, "pandas", "kfp", "pydantic", "psutil", "yaml")
    assert loaded("import headrace.pipelines.local.zygote", names) == "[]"
