import pytest

from benchmarks import feature_services
from headrace.components.shared.config.project import load
from headrace.feature_store.repo import read_repo


def results(*aucs):
    return {
        name: {"test_auc": auc} for name, auc in zip(feature_services.SERVICES, aucs, strict=True)
    }


@pytest.mark.parametrize(
    ("aucs", "gain", "ok"),
    [
        ((0.62, 0.69, 0.77), 0.07, True),
        ((0.62, 0.69, 0.695), 0.005, False),
        ((0.69, 0.62, 0.77), -0.07, False),
    ],
)
def test_every_service_must_add_something(aucs, gain, ok):
    found = feature_services.summary(results(*aucs))
    assert found.value == pytest.approx(gain)
    assert found.ok is ok
    assert f"flight_delay_schedule_v1 {aucs[0]:.4f}" in found.note


def test_the_services_are_those_of_the_flagships_repository():
    repo = feature_services.PROJECT / load(feature_services.PROJECT).feature_store.repo
    services = read_repo(repo)["services.py"]
    assert all(f'name="{name}"' in services for name in feature_services.SERVICES)
