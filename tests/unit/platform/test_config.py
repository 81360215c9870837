"""The section ``platform``: what is laid over what, and what is refused with which words."""

import pytest

from headrace.components.shared.config.platform import DEFAULTS, Platform
from headrace.components.shared.errors import ConfigError


def parsed(**values):
    return Platform.parse(values, where="project.yaml: platform")


def test_a_step_wins_over_all_and_all_over_the_default():
    platform = parsed(
        steps={
            "all": {"memory": {"limit": "20G"}, "timeout": 60, "node_selector": {"a": "1"}},
            "trainer": {"memory": {"limit": "30G"}, "node_selector": {"b": "2"}},
        }
    )
    trainer, tuner = platform.step("trainer"), platform.step("tuner")
    assert (trainer.memory.request, trainer.memory.limit, trainer.timeout) == ("3G", "30G", 60)
    assert trainer.node_selector == {"a": "1", "b": "2"}
    assert (tuner.memory.limit, tuner.node_selector) == ("20G", {"a": "1"})
    assert Platform().step("trainer") == DEFAULTS["trainer"]


def test_lists_of_all_and_of_the_step_are_put_together():
    first, second = {"name": "a", "mount": "/a"}, {"name": "b", "mount": "/b"}
    platform = parsed(steps={"all": {"secrets": [first]}, "ingest": {"secrets": [second]}})
    assert [secret.name for secret in platform.step("ingest").secrets] == ["a", "b"]
    assert [secret.name for secret in platform.step("pusher").secrets] == ["a"]


def test_null_takes_a_default_away():
    platform = parsed(steps={"tuner": {"timeout": None, "memory": {"limit": None}}})
    assert platform.step("tuner").timeout is None
    assert platform.step("tuner").memory.limit is None
    assert platform.step("tuner").memory.request == "3G"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"steps": {"traner": {}}}, "'traner' is no step. Did you mean 'trainer'?"),
        ({"steps": {"feature-builder": {}}}, "Did you mean 'feature_builder'?"),
        ({"steps": {"al": {}}}, "Did you mean 'all'?"),
        ({"beam_pipeline_args": {"trainer": []}}, "'trainer' is no step with a Beam pipeline."),
        (
            {"steps": {"trainer": {"memory": {"limit": "2G"}}}},
            "steps.trainer.memory: the request 3G is more than the limit 2G; set both",
        ),
        (
            {"steps": {"all": {"cpu": {"request": "1500m"}}}},
            "steps.resolver.cpu: the request 1500m is more than the limit 1; set both",
        ),
        ({"steps": {"all": {"memory": {"limit": 4}}}}, "an amount of bytes with its unit"),
        ({"steps": {"all": {"cpu": {"limit": "4 cores"}}}}, "a number of cores, such as 2"),
        ({"backend_version": 2.17}, "2.17 is a number; write a text, such as v2.17"),
        ({"backend_version": "new"}, "'new' is not a version, such as v2.17"),
        ({"images": {"core": "a@sha256:1"}}, "is not the name of an image"),
        ({"image_pull_secrets": ["No Name"]}, "is not a name in Kubernetes"),
        ({"steps": {"all": {"secrets": [{"name": "a"}]}}}, "needs either env or mount"),
        ({"steps": {"all": {"volumes": [{"mount": "/a"}]}}}, "needs either claim or size"),
        ({"steps": {"all": {"volumes": [{"mount": "a", "claim": "b"}]}}}, "an absolute path"),
        ({"steps": {"all": {"tolerations": [{"value": "a"}]}}}, "needs operator Exists"),
        ({"steps": {"all": {"accelerator": {"count": 1}}}}, "accelerator.type: Field required"),
    ],
)
def test_mistakes_are_explained(values, expected):
    with pytest.raises(ConfigError) as raised:
        parsed(**values)
    assert expected in raised.value.message


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(ConfigError) as raised:
        parsed(steps={"trainer": {"memry": {}}})
    assert "steps.trainer.memry: unknown key" in raised.value.message
    assert raised.value.fix == "Did you mean 'memory' instead of 'memry'?"
