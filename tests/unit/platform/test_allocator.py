"""polars' allocator shares memory by processor, unless the environment says otherwise."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("given", [None, "narenas:2"])
def test_importing_headrace_sets_only_what_is_not_set(given):
    environment = {k: v for k, v in os.environ.items() if k != "_RJEM_MALLOC_CONF"}
    program = "import os, headrace; print(os.environ['_RJEM_MALLOC_CONF'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | ({"_RJEM_MALLOC_CONF": given} if given else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    # polars would set the last two itself, if nothing were set.
    ours = "percpu_arena:percpu,dirty_decay_ms:500,muzzy_decay_ms:1000"
    assert done.stdout.strip() == (given or ours)
