"""``validate.py EXAMPLES FOLDER NAME…`` prints the verdict on each export in the folder.

As in a step: a process that has imported TensorFlow, and not used it, forks one child for each.
"""

import multiprocessing
import sys
from pathlib import Path

import tensorflow  # noqa: F401

from headrace.components.deployment.infra_validator import validator


def validate(examples, folder, name):
    result = validator.run(
        model=folder / name,
        source=examples,
        name="tiny",
        serving={"warmup_rows": 5},
        warmup=folder / "warmup" / name,
    )
    print(f"{name}: {result.blessed}: {result.verdict}", flush=True)


context = multiprocessing.get_context("fork")
for name in sys.argv[3:]:
    child = context.Process(target=validate, args=(Path(sys.argv[1]), Path(sys.argv[2]), name))
    child.start()
    child.join()
