from benchmarks import __main__ as command
from benchmarks.flagship import Bench
from benchmarks.tfx_baseline import evaluation
from headrace.components.evaluation.evaluator import tfma_metrics
from headrace.components.shared.config.project import load


def test_the_baseline_computes_the_evaluators_metrics():
    project = load(command.FLAGSHIP)
    (spec,) = evaluation.eval_config(project).metrics_specs
    names = [item.class_name for item in spec.metrics]
    assert names == ["ExampleCount", *tfma_metrics.CLASSES[project.label.task]]


def test_the_baseline_has_the_projects_slices_and_limits():
    project = load(command.FLAGSHIP)
    config = evaluation.eval_config(project)
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [
        [],
        *project.evaluation.slices,
    ]
    metrics = {item.class_name: item for item in config.metrics_specs[0].metrics}
    (auc,) = metrics["AUC"].per_slice_thresholds
    assert [list(spec.feature_keys) for spec in auc.slicing_specs] == [[], ["origin"]]
    assert auc.threshold.value_threshold.lower_bound.value == 0.7
    (calibration,) = metrics["Calibration"].per_slice_thresholds
    assert calibration.threshold.value_threshold.upper_bound.value == 1.3
    assert not metrics["BinaryAccuracy"].per_slice_thresholds


def test_the_baseline_is_for_the_project_as_it_is(tmp_path):
    assert Bench(command.FLAGSHIP, tmp_path).project.tuning.trials == 0
