"""A project as the arguments of the pipeline."""

from pathlib import Path

import yaml

from headrace.pipelines.batch_inference.arguments import arguments
from headrace.pipelines.compile import COMPILED

EXAMPLES = Path(__file__).parents[3] / "examples"


def made(project, home, **more):
    return arguments(
        EXAMPLES / project, home=home, rows="rows.parquet", destination="s3://bucket/out", **more
    )


def test_they_are_the_pipelines_parameters(tmp_path):
    (first, *_) = yaml.safe_load_all((COMPILED / "batch_inference.yaml").read_text())
    parameters = first["root"]["inputDefinitions"]["parameters"]
    required = {name for name, about in parameters.items() if not about.get("isOptional")}
    values = made("flights", tmp_path)
    assert required <= values.keys() <= parameters.keys()


def test_places_are_those_of_the_project(tmp_path):
    values = made("flights", tmp_path, version=3, keys=["flight_id"])
    assert values["models"] == str(tmp_path / "models")
    assert values["rows"] == str(Path("rows.parquet").absolute())
    assert values["destination"] == "s3://bucket/out"
    assert values["root"] == str(EXAMPLES.parent / "feature_repo")
    assert "views.py" in values["repo_code"]
    assert (values["version"], values["keys"]) == (3, ["flight_id"])


def test_a_project_without_a_feature_store_has_none(tmp_path):
    values = made("housing", tmp_path)
    assert (values["repo_code"], values["root"]) == ({}, "")
