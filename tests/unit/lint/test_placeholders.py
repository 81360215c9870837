import pytest
from kfp import dsl

IMAGE = "registry.example/step@sha256:" + "0" * 64


@dsl.container_component
def joined(name: str):
    return dsl.ContainerSpec(
        image=IMAGE, command=["run"], args=[dsl.ConcatPlaceholder(["--name=", name])]
    )


@dsl.container_component
def joined_inside(name: str = "x"):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["run"],
        args=[dsl.IfPresentPlaceholder("name", dsl.ConcatPlaceholder(["--name=", name]))],
    )


@dsl.container_component
def formatted(name: str):
    return dsl.ContainerSpec(image=IMAGE, command=["run"], args=[f"--name={name}"])


@dsl.container_component
def maybe(name: str = "x"):
    return dsl.ContainerSpec(
        image=IMAGE, command=["run"], args=[dsl.IfPresentPlaceholder("name", ["--name", name])]
    )


@dsl.container_component
def defaulted(name: str = "x"):
    return dsl.ContainerSpec(image=IMAGE, command=["run"], args=["--name", name])


@dsl.container_component
def maybe_artifact(data: dsl.Input[dsl.Dataset] = None):
    return dsl.ContainerSpec(
        image=IMAGE, command=["run"], args=[dsl.IfPresentPlaceholder("data", ["--data", data.uri])]
    )


def pipeline_of(component, **arguments):
    @dsl.pipeline(name="example")
    def example():
        component(**arguments)

    return example


@pytest.mark.parametrize("component", [joined, joined_inside])
def test_concat_is_never_implemented(lint_compiled, of, component):
    found = of("HR101", lint_compiled(pipeline_of(component, name="a")))
    task, message = found[0]
    assert (len(found), task) == (1, component.name)
    assert message.startswith('The command has a ConcatPlaceholder: `{"')


def test_a_formatted_string_is_replaced(lint_compiled):
    ids = {finding.rule for finding in lint_compiled(pipeline_of(formatted, name="a"))}
    assert ids == {"HR205"}


@pytest.mark.parametrize(("backend", "count"), [((2, 16, 1), 1), ((2, 17, 0), 0)])
def test_if_present_came_with_2_17(lint_compiled, of, backend, count):
    findings = lint_compiled(pipeline_of(maybe, name="a"), backend=backend)
    assert len(of("HR102", findings)) == count


@pytest.mark.parametrize(("backend", "count"), [((2, 16, 1), 0), ((2, 17, 0), 1), ((2, 18, 0), 0)])
def test_2_17_0_does_not_fill_in_defaults_of_commands(lint_compiled, of, backend, count):
    found = of("HR105", lint_compiled(pipeline_of(defaulted), backend=backend))
    text = "The command names inputs that the task leaves to their defaults: `name`."
    assert found == [("defaulted", text)] * count


def test_an_input_that_is_passed_needs_no_default(lint_compiled, of):
    assert not of("HR105", lint_compiled(pipeline_of(defaulted, name="a")))


def test_defaults_are_looked_at_for_each_task_of_a_component(lint_compiled, of):
    @dsl.pipeline(name="example")
    def example():
        defaulted(name="a")
        defaulted()

    assert [task for task, _ in of("HR105", lint_compiled(example))] == ["defaulted-2"]


@pytest.mark.parametrize(("backend", "count"), [((2, 17, 0), 1), ((2, 18, 0), 0)])
def test_2_17_0_takes_artifacts_for_absent(lint_compiled, of, backend, count):
    found = of("HR106", lint_compiled(pipeline_of(maybe_artifact), backend=backend))
    text = "IfPresentPlaceholder takes artifact `data` for absent, always."
    assert found == [("maybe-artifact", text)] * count


def test_if_present_of_a_parameter_works_in_2_17_0(lint_compiled, of):
    assert not of("HR106", lint_compiled(pipeline_of(maybe)))


def test_a_pipeline_placeholder_in_a_longer_text(lint_compiled, of):
    text = f"run-{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}"
    found = of("HR103", lint_compiled(pipeline_of(formatted, name=text)))
    message = (
        "`{{$.pipeline_job_name}}` in input `name` is part of a longer text and stays as it is."
    )
    assert found == [("formatted", message)]


def test_a_pipeline_placeholder_alone(lint_compiled, of):
    name = dsl.PIPELINE_JOB_NAME_PLACEHOLDER
    assert not of("HR103", lint_compiled(pipeline_of(formatted, name=name)))


@pytest.mark.parametrize(
    ("value", "backend", "message"),
    [
        ("{{$.pipeline_root}}", (2, 17, 0), "stays as it is: no backend replaces it"),
        ("{{$.pipeline_job_create_time_utc}}", (2, 15, 0), "is replaced from backend 2.16 on"),
        ("{{$.pipeline_job_create_time_utc}}", (2, 16, 0), None),
        ("{{$.workspace_path}}/data", (2, 14, 0), "is replaced from backend 2.15 on"),
        ("{{$.workspace_path}}/data", (2, 15, 0), None),
    ],
)
def test_which_placeholders_are_replaced_when(lint, of, draft, value, backend, message):
    draft.give(value)
    found = of("HR103", lint(draft.document, backend=backend))
    assert [task for task, _ in found] == ["use"] * bool(message)
    assert all(message in text for _, text in found)


@pytest.mark.parametrize("where", ["args", "env"])
def test_a_pipeline_placeholder_in_a_container(lint, of, draft, where):
    value = "{{$.pipeline_job_uuid}}"
    draft.container()[where] = [value] if where == "args" else [{"name": "RUN", "value": value}]
    message = "`{{$.pipeline_job_uuid}}` in the command or environment stays as it is."
    findings = lint(draft.document)
    assert of("HR103", findings) == [("use", message)]
    assert not of("HR104", findings)


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("{{$.inputs.artifacts['data'].metadata}}", "is nothing that the launcher replaces"),
        ("{{$.outputs.output_file}}", "is nothing that the launcher replaces"),
        ("--x={{$.inputs.parameters['none']}}", "names none of the component's parameters"),
        ("{{$.inputs.artifacts['data'].path}}", None),
        ("--x={{$.inputs.parameters['mode']}}", None),
        ("{{$}}", None),
    ],
)
def test_placeholders_in_a_command(lint, of, draft, word, problem):
    draft.container()["args"] = [word]
    found = of("HR104", lint(draft.document))
    assert [task for task, _ in found] == ["use"] * bool(problem)
    assert all(problem in text for _, text in found)


def test_nothing_is_replaced_in_the_environment(lint, of, draft):
    value = "{{$.inputs.parameters['mode']}}"
    draft.container()["env"] = [{"name": "MODE", "value": value}]
    message = f"`{value}` in variable `MODE` stays as it is."
    assert of("HR104", lint(draft.document)) == [("use", message)]


def test_vertex_implements_all_placeholders(lint_compiled):
    findings = lint_compiled(pipeline_of(joined, name="a"), target="vertex")
    assert {finding.rule for finding in findings} == {"HR205"}
