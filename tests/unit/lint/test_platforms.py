import pytest

WHERE = "platforms.kubernetes"


def test_vertex_loads_one_document(lint, draft, platform):
    settings = platform(**{"exec-use": {"nodeSelector": {"labels": {"a": "b"}}}})
    assert lint(draft.document, settings) == []
    [finding] = lint(draft.document, settings, target="vertex")
    assert (finding.rule, finding.message) == ("HR601", "The file holds a second document.")


@pytest.mark.parametrize(
    ("field", "backend", "problem"),
    [
        ("activeDeadlineSeconds", (2, 17, 0), None),
        ("activeDeadlineSeconds", (2, 16, 1), "needs backend 2.17"),
        ("resourceTtlOnCompletion", (2, 14, 0), "needs backend 2.17"),
        ("resource_ttl_on_success", (2, 17, 0), None),
        ("resourceTtl", (2, 16, 1), None),
        ("resourceTtl", (2, 17, 0), "is known up to backend 2.16 only"),
        ("mutexName", (2, 15, 0), "is known up to backend 2.14 only"),
        ("workspace", (2, 14, 0), None),
        ("timeToLive", (2, 17, 0), "is no field that a server knows"),
    ],
)
def test_fields_of_the_whole_pipeline(lint, of, draft, platform, field, backend, problem):
    found = of("HR602", lint(draft.document, platform({field: 60}), backend=backend))
    expected = [("", f"`{WHERE}.pipelineConfig.{field}` {problem}.")] if problem else []
    assert found == expected


@pytest.mark.parametrize(
    ("field", "backend", "problem"),
    [
        ("tolerations", (2, 14, 0), None),
        ("securityContext", (2, 15, 0), "needs backend 2.16"),
        ("securityContext", (2, 16, 0), None),
        ("toleration", (2, 17, 0), "is no field that a server knows"),
    ],
)
def test_fields_of_a_step(lint, of, draft, platform, field, backend, problem):
    settings = platform(**{"exec-use": {field: []}})
    found = of("HR602", lint(draft.document, settings, backend=backend))
    path = f"{WHERE}.deploymentSpec.executors.exec-use.{field}"
    assert found == ([("", f"`{path}` {problem}.")] if problem else [])


def test_fields_of_the_document(lint, of, draft, platform):
    settings = platform() | {"version": 1}
    settings["platforms"]["kubernetes"]["volumes"] = []
    assert of("HR602", lint(draft.document, settings)) == [
        ("", "`version` is no field that a server knows."),
        ("", f"`{WHERE}.volumes` is no field that a server knows."),
    ]


def test_settings_of_an_executor_that_does_not_exist(lint, of, draft, platform):
    settings = platform(**{"exec-use": {}, "exec-gone": {}})
    message = "The second document has settings for `exec-gone`, which does not exist."
    assert of("HR603", lint(draft.document, settings)) == [("", message)]


@pytest.mark.parametrize("extra", [{"notes": "x"}, {"platforms": {"other": {}}}])
def test_documents_that_are_ignored(lint, of, draft, platform, extra):
    found = of("HR604", lint(draft.document, platform(), extra))
    assert found == [("", "The file holds a document that the server ignores.")]


def test_a_document_that_is_no_mapping(lint, of, draft):
    findings = lint(draft.document, ["x"])
    message = "A document of the file is a list, not a mapping."
    assert of("HR010", findings) == [("", message)]
    assert not of("HR604", findings)


def test_no_shape_of_a_second_document_ends_in_a_traceback(lint, draft):
    for value in (None, [], "x", 1, {"kubernetes": []}, {"kubernetes": {"deploymentSpec": 1}}):
        lint(draft.document, {"platforms": value})
