"""A file with settings for Kubernetes runs here as well; they mean nothing on this machine."""

from kfp import dsl, kubernetes


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def double(number: int) -> int:
    return 2 * number


@dsl.pipeline(name="two-documents")
def two_documents(number: int) -> int:
    task = double(number=number)
    kubernetes.set_timeout(task, 60)
    kubernetes.use_secret_as_env(task, "store", {"key": "STORE_KEY"})
    return task.output


def test_settings_for_kubernetes_do_not_disturb(execute):
    run = execute(two_documents, {"number": 21})
    assert run.state == "succeeded"
    assert run.outputs == {"Output": 42}
    assert "\n---\nplatforms:" in (run.folder / "pipeline.yaml").read_text()
