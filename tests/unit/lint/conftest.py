from copy import deepcopy

import pytest
import yaml
from kfp import compiler

from headrace.pipelines.lint import linter
from headrace.pipelines.lint.model import Settings

PINNED = "registry.example/step@sha256:" + "0" * 64

#: A pipeline in which nothing is found: `make` writes a data set, `use` reads it.
CLEAN = {
    "pipelineInfo": {"name": "clean"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
    "components": {
        "comp-make": {
            "executorLabel": "exec-make",
            "inputDefinitions": {"parameters": {"size": {"parameterType": "NUMBER_INTEGER"}}},
            "outputDefinitions": {
                "artifacts": {
                    "data": {
                        "artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}
                    }
                },
                "parameters": {"rows": {"parameterType": "NUMBER_INTEGER"}},
            },
        },
        "comp-use": {
            "executorLabel": "exec-use",
            "inputDefinitions": {
                "artifacts": {
                    "data": {
                        "artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}
                    }
                },
                "parameters": {"mode": {"parameterType": "STRING"}},
            },
        },
    },
    "deploymentSpec": {
        "executors": {
            f"exec-{name}": {
                "container": {
                    "image": PINNED,
                    "command": ["run", name],
                    "resources": {"resourceMemoryRequest": "1G", "resourceMemoryLimit": "2G"},
                }
            }
            for name in ("make", "use")
        }
    },
    "root": {
        "inputDefinitions": {
            "parameters": {
                "size": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3, "isOptional": True}
            }
        },
        "dag": {
            "tasks": {
                "make": {
                    "cachingOptions": {"enableCache": True},
                    "componentRef": {"name": "comp-make"},
                    "inputs": {"parameters": {"size": {"componentInputParameter": "size"}}},
                    "taskInfo": {"name": "make"},
                },
                "use": {
                    "cachingOptions": {"enableCache": True},
                    "componentRef": {"name": "comp-use"},
                    "dependentTasks": ["make"],
                    "inputs": {
                        "artifacts": {
                            "data": {
                                "taskOutputArtifact": {
                                    "outputArtifactKey": "data",
                                    "producerTask": "make",
                                }
                            }
                        },
                        "parameters": {"mode": {"runtimeValue": {"constant": "fast"}}},
                    },
                    "taskInfo": {"name": "use"},
                },
            }
        },
    },
}


class Draft:
    """A pipeline to be changed: shortcuts into its document."""

    def __init__(self):
        self.document = deepcopy(CLEAN)
        self.tasks = self.document["root"]["dag"]["tasks"]
        self.components = self.document["components"]
        self.executors = self.document["deploymentSpec"]["executors"]

    def container(self, name="use"):
        return self.executors[f"exec-{name}"]["container"]

    def parameters(self, name="use"):
        return self.components[f"comp-{name}"]["inputDefinitions"]["parameters"]

    def give(self, value, name="mode", task="use"):
        """Lets a task's input have a constant value."""
        self.parameters(task)[name] = {"parameterType": "STRING"}
        self.tasks[task]["inputs"]["parameters"][name] = {"runtimeValue": {"constant": value}}

    def exit_task(self, name, after):
        """Adds an exit task behind others."""
        self.components["comp-end"] = {"executorLabel": "exec-make"}
        self.tasks[name] = {
            "componentRef": {"name": "comp-end"},
            "dependentTasks": list(after),
            "taskInfo": {"name": name},
            "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
        }


@pytest.fixture
def draft():
    return Draft()


@pytest.fixture
def lint(tmp_path):
    """Findings in documents, written to one file."""

    def run(*documents, **settings):
        path = tmp_path / "pipeline.yaml"
        path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
        return linter.lint_file(path, Settings(**settings))

    return run


@pytest.fixture
def lint_compiled(tmp_path):
    """Findings in what KFP's SDK makes of a pipeline function."""

    def run(pipeline, **settings):
        path = tmp_path / "compiled.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return linter.lint_file(path, Settings(**settings))

    return run


@pytest.fixture
def of():
    """Task and message of one rule's findings."""
    return lambda rule, findings: [(f.task, f.message) for f in findings if f.rule == rule]


@pytest.fixture
def platform():
    """A second document with settings for Kubernetes."""

    def make(config=None, **executors):
        kubernetes = {"deploymentSpec": {"executors": executors}}
        if config is not None:
            kubernetes["pipelineConfig"] = config
        return {"platforms": {"kubernetes": kubernetes}}

    return make
