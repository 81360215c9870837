import pytest
from kfp import dsl

IMAGE = "registry.example/step@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("kind", "default", "wanted"),
    [
        ("NUMBER_INTEGER", "3", "a number"),
        ("NUMBER_INTEGER", 3.5, "a whole number"),
        ("NUMBER_DOUBLE", True, "a number"),
        ("BOOLEAN", "true", "true or false"),
        ("LIST", {}, "a list"),
        ("STRUCT", [], "a mapping"),
        ("STRING", 3, None),
        ("NUMBER_INTEGER", 3, None),
        ("NUMBER_DOUBLE", 3.5, None),
        ("STRUCT", None, None),
    ],
)
def test_defaults_have_their_parameters_type(lint, of, draft, kind, default, wanted):
    definition = {"parameterType": kind, "defaultValue": default, "isOptional": True}
    draft.document["root"]["inputDefinitions"]["parameters"]["level"] = definition
    found = of("HR501", lint(draft.document))
    assert found == ([("", f"The default of `level` is not {wanted}.")] if wanted else [])


def test_defaults_of_a_tasks_inputs(lint, of, draft):
    definition = {"parameterType": "LIST", "defaultValue": "a", "isOptional": True}
    draft.parameters()["columns"] = definition
    found = of("HR501", lint(draft.document))
    assert found == [("use", "The default of `columns` is not a list.")]


@dsl.container_component
def read(data: dsl.Input[dsl.Dataset] = None):
    return dsl.ContainerSpec(image=IMAGE, command=["run"])


@pytest.mark.parametrize(
    ("target", "cached", "count"),
    [("vertex", True, 1), ("vertex", False, 0), ("kubeflow", True, 0)],
)
def test_optional_artifacts_and_the_cache_of_vertex(lint_compiled, of, target, cached, count):
    @dsl.pipeline(name="example")
    def example():
        read().set_caching_options(cached)

    message = "Input artifact `data` is optional: the step may run every time."
    found = of("HR502", lint_compiled(example, target=target))
    assert found == [("read", message)] * count
