import pytest
from kfp import dsl

IMAGE = "registry.example/step@sha256:" + "0" * 64


@dsl.container_component
def read(data: dsl.Input[dsl.Dataset]):
    return dsl.ContainerSpec(image=IMAGE, command=["run"], args=[data.uri])


@dsl.container_component
def read_model(data: dsl.Input[dsl.Model]):
    return dsl.ContainerSpec(image=IMAGE, command=["run"], args=[data.uri])


def importing(uri, kind=dsl.Dataset, reader=read):
    @dsl.pipeline(name="example")
    def example():
        reader(data=dsl.importer(artifact_uri=uri, artifact_class=kind).output)

    return example


@pytest.mark.parametrize(
    ("executor", "rule", "message"),
    [
        ({"resolver": {"outputArtifactQueries": {}}}, "HR301", "The task is a resolver."),
        ({"customJob": {"customJob": {}}}, "HR302", "The task is a custom job of Vertex AI."),
    ],
)
def test_executors_that_are_not_implemented(lint, draft, executor, rule, message):
    draft.executors["exec-use"] = executor
    found = [(f.rule, f.task, f.message) for f in lint(draft.document)]
    assert found == [(rule, "use", message)]
    assert lint(draft.document, target="vertex") == []


def test_a_hook_before_the_cache(lint, of, draft):
    draft.container()["lifecycle"] = {"preCacheCheck": {"command": ["check"]}}
    message = "The container's `lifecycle.preCacheCheck` never runs."
    assert of("HR303", lint(draft.document)) == [("use", message)]


@pytest.mark.parametrize(("backend", "count"), [((2, 17, 0), 1), ((2, 18, 0), 0)])
def test_a_cache_key_of_ones_own(lint_compiled, of, backend, count):
    @dsl.container_component
    def make():
        return dsl.ContainerSpec(image=IMAGE, command=["run"])

    @dsl.pipeline(name="example")
    def example():
        make().set_caching_options(enable_caching=True, cache_key="mine")
        make()

    found = of("HR304", lint_compiled(example, backend=backend))
    assert found == [("make", "The cache key `mine` is ignored.")] * count


def test_a_loop_over_artifacts(lint, of, draft):
    draft.tasks["use"]["artifactIterator"] = {"itemInput": "data", "items": {"inputArtifact": "x"}}
    assert of("HR305", lint(draft.document)) == [("use", "The task loops over artifacts.")]


def test_a_condition_on_an_importer(lint, of, draft):
    draft.executors["exec-use"] = {"importer": {"artifactUri": {"constant": "s3://a/b"}}}
    assert not of("HR306", lint(draft.document))
    draft.tasks["use"]["triggerPolicy"] = {"condition": "inputs.parameter_values['mode'] == 'x'"}
    message = "The importer has a condition of its own."
    assert of("HR306", lint(draft.document)) == [("use", message)]


def test_a_condition_on_the_group_of_an_importer(lint_compiled, of):
    @dsl.pipeline(name="example")
    def example(wanted: bool):
        with dsl.If(wanted == True):  # noqa: E712
            dsl.importer(artifact_uri="s3://a/b", artifact_class=dsl.Dataset)

    assert not of("HR306", lint_compiled(example))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"constantValue": {"stringValue": "x"}}, "constant_value"),
        ({"runtimeParameter": "x"}, "runtime_parameter"),
        ({}, "empty"),
    ],
)
def test_inputs_in_the_form_of_older_schemas(lint, of, draft, value, kind):
    draft.tasks["use"]["inputs"]["parameters"]["mode"] = {"runtimeValue": value}
    message = f"Input `mode` has a `{kind}` value, which fails when it starts."
    assert of("HR307", lint(draft.document)) == [("use", message)]


@pytest.mark.parametrize("uri", ["gs://a/b", "s3://a/b", "minio://a/b"])
def test_stores_that_can_be_read(lint_compiled, of, uri):
    assert not of("HR308", lint_compiled(importing(uri)))


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("https://a/b", "the backend opens no such store"),
        ("/data/b", "the backend opens no such store"),
        ("oci://a/b", "of oci:// only models can be read, not system.Dataset"),
    ],
)
def test_stores_that_cannot_be_read(lint_compiled, of, uri, problem):
    found = of("HR308", lint_compiled(importing(uri)))
    assert found == [("importer", f"The importer reads `{uri}`: {problem}.")]


def test_models_in_images(lint_compiled, of):
    assert not of("HR308", lint_compiled(importing("oci://a/b", dsl.Model, read_model)))


@pytest.mark.parametrize(("root", "count"), [("oci://a/b", 1), ("/tmp/b", 1), ("s3://a/b", 0)])
def test_the_pipeline_root(lint, of, draft, root, count):
    draft.document["defaultPipelineRoot"] = root
    message = f"The pipeline root `{root}` is on no store that the backend opens."
    assert of("HR308", lint(draft.document)) == [("", message)] * count
