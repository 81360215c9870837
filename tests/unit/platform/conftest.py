from pathlib import Path

import pytest
import yaml

from headrace.components.shared.config.project import load
from headrace.pipelines.compile import compiled

FOLDER = Path(__file__).parent / "project"


@pytest.fixture(scope="session")
def platform():
    """A project's section in which every setting is made."""
    return load(FOLDER).platform


@pytest.fixture(scope="session")
def kubeflow(platform):
    """The text of the training pipeline for Kubeflow."""
    return compiled("training", target="kubeflow", platform=platform)


@pytest.fixture(scope="session")
def vertex(platform):
    """The text of the training pipeline for Vertex AI."""
    return compiled("training", target="vertex", platform=platform)


@pytest.fixture(scope="session")
def documents(kubeflow):
    """Kubeflow's two documents, read."""
    return list(yaml.load_all(kubeflow, Loader=yaml.CSafeLoader))
