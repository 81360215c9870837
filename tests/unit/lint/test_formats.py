import pytest
import yaml

from headrace.pipelines.lint import linter
from headrace.pipelines.lint.model import Settings


def of_text(tmp_path, text):
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(f.rule, f.message) for f in linter.lint_file(path, Settings())]


def test_nothing_is_found_in_a_clean_pipeline(lint, draft):
    assert lint(draft.document) == []
    assert lint(draft.document, target="vertex") == []


@pytest.mark.parametrize(
    ("text", "rule", "message"),
    [
        (b"\xff\xfe\x00", "HR001", "The file cannot be read: it is not UTF-8 text."),
        ("a: [1", "HR002", "The YAML is broken: did not find expected ',' or ']' in line "),
        ("a: !!python/object:os.system x", "HR002", "The YAML is broken: could not determine"),
        ("a: &a [*a]", "HR002", "The YAML is broken: Circular reference detected."),
        ("2026-01-01: a", "HR002", "The YAML is broken: keys must be str, int, float"),
        ("", "HR003", "The file is empty."),
        ("- 1", "HR003", "The file holds a list, not a mapping."),
        ("a: 1", "HR003", "The file has no `pipelineInfo` and no `root`."),
        ("root: {}\npipelineInfo: {}", "HR003", "The file has no name in `pipelineInfo`."),
        ("apiVersion: argoproj.io/v1alpha1", "HR003", "The file is an Argo workflow"),
        ("name: x\nimplementation: {}", "HR003", "The file is a component in the format"),
    ],
)
def test_what_is_no_pipeline_is_a_finding(tmp_path, text, rule, message):
    [(found_rule, found_message)] = of_text(tmp_path, text)
    assert found_rule == rule
    assert found_message.startswith(message)


def test_a_file_that_is_missing(tmp_path):
    [finding] = linter.lint_file(tmp_path / "none.yaml", Settings())
    assert (finding.rule, finding.task) == ("HR001", "")
    assert finding.message == "The file cannot be read: No such file or directory."


def test_one_pipeline_per_file(lint, of, draft):
    found = of("HR004", lint(draft.document, draft.document))
    assert found == [("", "The file holds 2 pipelines.")]


def test_an_empty_document_does_no_harm(lint, draft):
    assert lint(draft.document, None) == []


def test_the_job_wrapper_of_tfx(lint, of, draft):
    draft.document["schemaVersion"] = "2.0.0"
    findings = lint({"pipelineSpec": draft.document, "runtimeConfig": {}})
    wrapped = "The pipeline is inside `pipelineSpec` of a job, the format of Vertex AI."
    assert [(f.rule, f.message) for f in findings] == [
        ("HR005", wrapped),
        ("HR006", "The schema version is 2.0.0; only 2.1.0 is taken."),
    ]


def test_vertex_takes_the_job_wrapper(lint, draft):
    draft.document["schemaVersion"] = "2.0.0"
    assert lint({"pipelineSpec": draft.document}, target="vertex") == []


def test_a_schema_version_that_is_missing(lint, of, draft):
    del draft.document["schemaVersion"]
    found = of("HR006", lint(draft.document))
    assert found == [("", "The schema version is not set; only 2.1.0 is taken.")]


def test_an_unknown_field_is_named_with_its_path(lint, of, draft):
    draft.tasks["use"]["cachingOptions"]["maxStaleness"] = "P1D"
    path = "root.dag.tasks.use.cachingOptions.maxStaleness"
    message = f"`{path}` is no field of a pipeline: the server refuses the file."
    assert of("HR007", lint(draft.document)) == [("", message)]


def test_fields_of_free_form_values_are_not_looked_at(lint, draft):
    draft.parameters()["mode"]["defaultValue"] = "fast"
    draft.parameters()["mode"]["isOptional"] = True
    metadata = draft.components["comp-make"]["outputDefinitions"]["artifacts"]["data"]
    metadata["metadata"] = {"anything": {"goes": 1}}
    assert lint(draft.document) == []


def test_fields_may_be_written_in_both_cases(lint, draft):
    draft.document["pipeline_info"] = draft.document.pop("pipelineInfo")
    assert lint(draft.document) == []


def test_an_unknown_field_of_the_deployment_is_ignored(lint, of, draft):
    draft.container()["entrypoint"] = ["x"]
    draft.document["deploymentSpec"]["@type"] = "type.googleapis.com/any"
    path = "deploymentSpec.executors.exec-use.container.entrypoint"
    message = f"`{path}` is no field that a server knows: it is ignored."
    assert of("HR008", lint(draft.document)) == [("", message)]


@pytest.mark.parametrize(("backend", "count"), [((2, 15, 0), 1), ((2, 16, 0), 0)])
def test_a_field_that_older_backends_refuse(lint, of, draft, backend, count):
    draft.parameters()["mode"]["literals"] = ["fast", "slow"]
    found = of("HR009", lint(draft.document, backend=backend))
    path = "components.comp-use.inputDefinitions.parameters.mode.literals"
    assert found == [("", f"`{path}` needs backend 2.16; 2.15 refuses the file.")] * count


@pytest.mark.parametrize(("backend", "count"), [((2, 14, 0), 1), ((2, 15, 0), 0)])
def test_a_type_that_older_backends_refuse(lint, of, draft, backend, count):
    draft.parameters()["setup"] = {"parameterType": "TASK_CONFIG", "isOptional": True}
    found = of("HR009", lint(draft.document, backend=backend))
    message = "Type TASK_CONFIG of input `setup` needs backend 2.15; 2.14 refuses the file."
    assert found == [("", message)] * count


def test_a_value_that_does_not_parse(lint, of, draft):
    draft.container()["command"] = "run"
    [(task, message)] = of("HR010", lint(draft.document))
    assert task == ""
    assert message.startswith("A value does not parse: deploymentSpec: ")


@pytest.mark.parametrize("broken", [None, [], "text", 3])
@pytest.mark.parametrize("key", ["components", "deploymentSpec", "root"])
def test_no_shape_of_a_file_ends_in_a_traceback(lint, draft, key, broken):
    draft.document[key] = broken
    assert lint(draft.document)


def test_references_that_lead_nowhere(lint, of, draft):
    del draft.components["comp-use"], draft.executors["exec-make"]
    draft.tasks["use"]["dependentTasks"] = ["makes"]
    assert of("HR011", lint(draft.document)) == [
        ("make", "There is no executor `exec-make`."),
        ("use", "There is no component `comp-use`."),
        ("use", "There is no task `makes` beside this one."),
    ]


@pytest.mark.parametrize(("size", "count"), [(600_000, 1), (400_000, 0)])
def test_large_sources_are_named(lint, of, draft, size, count):
    draft.container()["args"] = ["x" * size]
    found = of("HR012", lint(draft.document))
    message = (
        "The pipeline has 602 kB, and a workflow may have about 1 MB; "
        "`use` alone has 600 kB of command."
    )
    assert found == [("", message)] * count


def test_a_component_that_uses_itself_is_visited_once(lint, draft):
    draft.components["comp-use"] = {"dag": {"tasks": {"again": draft.tasks["use"]}}}
    tasks = yaml.safe_load(yaml.safe_dump(draft.tasks))
    tasks["use"]["componentRef"]["name"] = "comp-use"
    draft.document["root"]["dag"]["tasks"] = tasks
    assert {finding.task for finding in lint(draft.document)} == {"use/again"}
