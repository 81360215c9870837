"""All rules. One module per group; ids say which: 0 files, 1 placeholders, 2 steps, and so on."""

from __future__ import annotations

from headrace.pipelines.lint import reading
from headrace.pipelines.lint.rules import (
    control_flow,
    executors,
    formats,
    images,
    installs,
    parameters,
    placeholders,
    platforms,
    steps,
)

ALL = (
    *reading.RULES,
    *formats.RULES,
    *placeholders.RULES,
    *images.RULES,
    *steps.RULES,
    *installs.RULES,
    *executors.RULES,
    *control_flow.RULES,
    *parameters.RULES,
    *platforms.RULES,
)
