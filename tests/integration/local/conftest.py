from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import compiler

from headrace.pipelines.local import runner, warm
from headrace.pipelines.local.records import RunRecord

Execute = Callable[..., RunRecord]


@pytest.fixture(autouse=True)
def light_warm_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of these tests need no data libraries: most of a run here is loading them."""
    modules = ("kfp.dsl.executor_main", "headrace.components.shared.errors")
    monkeypatch.setitem(warm.PRELOAD, warm.CORE, modules)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[[Any], Path]:
    def compile_pipeline(pipeline: Any) -> Path:
        target = tmp_path / f"{pipeline.name}.yaml"
        compiler.Compiler().compile(pipeline, str(target))
        return target

    return compile_pipeline


@pytest.fixture
def execute(compiled: Callable[[Any], Path], home: Path) -> Execute:
    def run(pipeline: Any, arguments: dict[str, Any] | None = None, **options: Any) -> RunRecord:
        return runner.run(compiled(pipeline), arguments or {}, **{"home": home, **options})

    return run
