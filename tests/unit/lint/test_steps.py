import pytest
from kfp import dsl

from headrace.pipelines.lint.rules.steps import is_secret

DIGEST = "sha256:" + "0" * 64


def pipeline_of(component):
    @dsl.pipeline(name="example")
    def example():
        component().set_memory_request("1G")

    return example


@pytest.mark.parametrize(
    ("image", "rule", "message"),
    [
        ("python", "HR202", "Image `python` has no tag."),
        ("host:5000/python", "HR202", "Image `host:5000/python` has no tag."),
        ("python:latest", "HR202", "Image `python` has the tag `latest`."),
        ("python:3.11", "HR203", "Image `python:3.11` is not pinned by digest."),
        ("", "HR201", "The step has no image."),
        (f"python@{DIGEST}", None, None),
        (f"host:5000/python:3.11@{DIGEST}", None, None),
        ("{{$.inputs.parameters['image']}}", None, None),
    ],
)
def test_images(lint, draft, image, rule, message):
    draft.container()["image"] = image
    found = [(f.rule, f.task, f.message) for f in lint(draft.document)]
    assert found == ([(rule, "use", message)] if rule else [])


def test_the_fix_names_the_image(lint, draft):
    draft.container()["image"] = "host/python:3.11"
    [finding] = lint(draft.document)
    assert finding.fix == "Name it by digest: host/python@sha256:…"


def test_work_of_the_driver_has_no_container(lint, draft):
    draft.executors["exec-use"] = {"container": {"image": "argostub/createpvc"}}
    assert lint(draft.document) == []


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["--mode", "fast"], "`--mode` is run as the program"),
        ([], "the launcher stops with an error"),
    ],
)
def test_a_step_without_command(lint, of, draft, args, what):
    draft.container()["command"] = []
    draft.container()["args"] = args
    found = of("HR204", lint(draft.document))
    assert found == [("use", f"The step has no command: {what}.")]


def test_vertex_knows_the_entry_point(lint, draft):
    draft.container()["command"] = []
    assert lint(draft.document, target="vertex") == []


def test_memory_must_be_stated(lint, of, draft):
    del draft.container()["resources"]
    message = "The step has no memory request and no memory limit."
    assert of("HR205", lint(draft.document)) == [("use", message)]


@pytest.mark.parametrize(
    "resources", [{"memoryLimit": 2.0}, {"resourceMemoryRequest": "1G"}, {"memoryRequest": 1.0}]
)
def test_one_of_request_and_limit_will_do(lint, draft, resources):
    draft.container()["resources"] = resources
    assert lint(draft.document) == []


def test_packages_installed_at_start(lint_compiled, of):
    @dsl.component(
        base_image=f"python@{DIGEST}",
        packages_to_install=["pandas==2.2.3", "kfp-kubernetes"],
        install_kfp_package=False,
    )
    def load():
        pass

    findings = lint_compiled(pipeline_of(load))
    message = "The step installs packages when it starts: pandas==2.2.3, kfp-kubernetes."
    assert [(f.rule, f.task, f.message) for f in findings] == [("HR206", "load", message)]


def test_kfp_installed_at_start(lint_compiled):
    @dsl.component(base_image=f"python@{DIGEST}")
    def load():
        pass

    findings = lint_compiled(pipeline_of(load))
    message = "The step installs KFP when it starts."
    assert [(f.rule, f.task, f.message) for f in findings] == [("HR207", "load", message)]


def test_a_source_that_talks_of_pip_installs_nothing(lint_compiled):
    @dsl.component(base_image=f"python@{DIGEST}", install_kfp_package=False)
    def load():
        print("Run `pip install kfp pandas` first.")

    assert lint_compiled(pipeline_of(load)) == []


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("pip3 install -r requirements.txt && run", "requirements.txt"),
        ("python -m pip install --quiet 'a b'", "a b"),
        ("pip install .", "."),
        ("pip install 'unclosed", "'unclosed"),
    ],
)
def test_other_ways_to_call_pip(lint, of, draft, command, named):
    draft.container()["command"] = ["sh", "-c", command]
    message = f"The step installs packages when it starts: {named}."
    assert of("HR206", lint(draft.document)) == [("use", message)]


def test_a_secret_in_the_environment(lint, of, draft):
    draft.container()["env"] = [
        {"name": "DB_PASSWORD", "value": "hunter2"},
        {"name": "API_TOKEN", "value": "$(FROM_SECRET)"},
        {"name": "SECRET", "value": "/var/run/secret"},
        {"name": "MAX_TOKENS", "value": "100"},
    ]
    findings = lint(draft.document)
    assert of("HR208", findings) == [("use", "Variable `DB_PASSWORD` holds a literal value.")]
    assert "hunter2" not in str(findings)


def test_a_secret_as_input_and_as_default(lint, of, draft):
    draft.give("hunter2", name="password")
    draft.give("7", name="tokens")
    draft.document["root"]["inputDefinitions"]["parameters"] |= {
        "api_key": {"parameterType": "STRING", "defaultValue": "abc", "isOptional": True},
        "token": {"parameterType": "STRING", "defaultValue": "", "isOptional": True},
    }
    assert of("HR208", lint(draft.document)) == [
        ("", "Parameter `api_key` has a literal default."),
        ("use", "Input `password` gets a literal value."),
    ]


@pytest.mark.parametrize("name", ["password", "db-password", "AWS_SECRET_ACCESS_KEY", "apikey"])
def test_names_of_secrets(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["tokenizer", "max_tokens", "secret_name", "key", "mode"])
def test_names_of_other_things(name):
    assert not is_secret(name)
