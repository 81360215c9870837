"""What happens inside a step's own process, forked from a warm process or started afresh.

As few imports as possible: everything here is loaded before a step's first line runs.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.components.shared.errors import HeadraceError, StepError
from headrace.pipelines.local.processes import die_with_parent, set_name

MODULE_NAME = "ephemeral_component"
#: Tells which step a process belongs to that outlives it.
STEP_VARIABLE = "HEADRACE_STEP"
#: Tells a step the run home; on a cluster there is none.
HOME_VARIABLE = "HEADRACE_HOME"


def enter(request: Mapping[str, Any]) -> None:
    """Makes this process the step's own: session, output to the log, environment."""
    os.setsid()
    set_name(Path(request["log"]).stem)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.close(nothing)
    os.chdir(request["cwd"])
    for stream in (sys.stdout, sys.stderr):
        # What a step printed must be in its log also when it is killed.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    os.environ.update(request["env"])
    os.environ[STEP_VARIABLE] = request["id"]
    os.environ[HOME_VARIABLE] = request["home"]
    # `python3` in a step's command must be the interpreter that runs the pipeline.
    folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])


def run(request: Mapping[str, Any]) -> int:
    """Runs a step in this process.

    Args:
        request: Written by the runner: ``argv``, ``source`` (of the function, else ``argv`` is a
            command to execute), ``code`` (folder for the source), ``error`` (file to report in).

    Returns:
        The exit code.
    """
    if request["source"] is None:
        os.environ.pop("_KFP_RUNTIME", None)
        return _execute(list(request["argv"]), Path(request["error"]))
    try:
        _call_component(request)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        traceback.print_exc()
        _report(error, Path(request["error"]))
        return 1
    return 0


def leave(code: int) -> None:
    """Ends this process as the interpreter would, but without tearing modules down."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _call_component(request: Mapping[str, Any]) -> None:
    from kfp.dsl.executor_main import executor_main

    if numpy := sys.modules.get("numpy"):
        # Forked siblings would otherwise share one "random" sequence.
        numpy.random.seed()
    module = Path(request["code"]) / f"{MODULE_NAME}.py"
    module.write_text(request["source"], encoding="utf-8")
    os.environ["_KFP_RUNTIME"] = "true"
    sys.argv = ["executor_main", "--component_module_path", str(module), *request["argv"]]
    for handler in list(logging.root.handlers):
        # Preloaded libraries may have set up logging to streams of the warm process.
        logging.root.removeHandler(handler)
    executor_main()


def _execute(argv: list[str], error_file: Path) -> int:
    if argv and argv[0] in {"python", "python3"}:
        argv[0] = sys.executable
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        reason = StepError(
            f"The command `{argv[0]}` cannot be run: {error.strerror}.",
            fix="Install it on this machine: a local run does not use the step's image.",
        )
        print(reason, file=sys.stderr)
        _report(reason, error_file)
        return 127


def _report(error: BaseException, target: Path) -> None:
    if not isinstance(error, HeadraceError):
        from headrace.components.shared import files

        error = files.disk_error(error) or error
    lines = str(error).strip().splitlines()
    report = {
        "type": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "message": error.message if isinstance(error, HeadraceError) else "".join(lines[:1]),
        "fix": error.fix if isinstance(error, HeadraceError) else "",
        "is_ours": isinstance(error, HeadraceError),
    }
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(report), encoding="utf-8")
    os.replace(partial, target)


def main() -> None:
    """Runs the step described in the file given as the only argument, in a fresh interpreter."""
    die_with_parent(signal.SIGKILL)
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    leave(run(request))


if __name__ == "__main__":
    main()
