"""project.yaml: what is wrong, where, and the nearest right key."""

import textwrap

import pytest

from headrace.components.shared.config.project import load, read_code
from headrace.components.shared.errors import ConfigError

MINIMAL = """
    name: tiny
    label: {column: y}
    sources:
      rows: {path: rows.csv}
"""


@pytest.fixture
def project(tmp_path):
    def write(text=MINIMAL):
        (tmp_path / "project.yaml").write_text(textwrap.dedent(text))
        return tmp_path

    return write


def refused(folder, *overrides):
    with pytest.raises(ConfigError) as caught:
        load(folder, overrides)
    return caught.value


def test_a_minimal_project_gets_defaults(project):
    found = load(project())
    assert found.label.task == "binary_classification"
    assert found.training.epochs == 10
    assert found.sources["rows"].clean.null_values == ["", "NA"]


@pytest.mark.parametrize(
    ("override", "path", "hint"),
    [
        ("trainin.epochs=1", "trainin: unknown key", "Did you mean 'training' instead of"),
        ("training.epoch=1", "training.epoch: unknown key", "Did you mean 'epochs'"),
        ("sources.rows.clean.uniqe=[a]", "sources.rows.clean.uniqe", "Did you mean 'unique'"),
        ("evaluation.thresholds.auc.mim=0.5", "evaluation.thresholds.auc.mim", "'min'"),
        ("serving.zzzz=1", "serving.zzzz: unknown key", "valid keys there: destination, keep"),
    ],
)
def test_an_unknown_key_names_its_place_and_the_nearest_valid_key(project, override, path, hint):
    error = refused(project(), override)
    assert path in error.message
    assert "project.yaml is not valid" in error.message
    assert hint in error.fix


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("name=Not A Name", "name: String should match pattern"),
        ("label.task=ranking", "label.task: Input should be 'binary_classification'"),
        ("training.epochs=0", "training.epochs: Input should be greater than or equal to 1, got 0"),
        ("training.epochs=many", "training.epochs: Input should be a valid integer"),
        ("sources.rows.delimiter=ab", "sources.rows.delimiter: String should have at most 1"),
        ("sources.rows.format=xls", "sources.rows.format: Input should be 'csv'"),
        ("sources.rows.url=sqlite://", "format csv needs path, and neither url nor query"),
        ("sources.rows.format=sql", "format sql needs url and query, and no path"),
        ("sources={}", "sources: Dictionary should have at least 1 item"),
        ("split={by: time, column: t}", "split by time needs column, and until with train"),
        ("split={by: column}", "split by column needs column"),
        ("split.buckets={train: 1, test: 1}", "buckets must name train, eval and test"),
        ("split.buckets={train: 0, eval: 1, test: 1}", "split.buckets.train: Input should be gr"),
        (
            "split={by: time, column: t, until: {train: 2020-03-01, eval: 2020-02-01, test: "
            "2020-04-01}}",
            "until must grow from train to eval to test",
        ),
        ("leakage.max_score=1.5", "leakage.max_score: Input should be less than or equal to 1"),
        ("promotion.margin=0.1", "margin goes with rule: not_worse"),
        ("evaluation.resamples=10", "evaluation.resamples: Input should be greater than or equal"),
        ("evaluation.confidence=1", "evaluation.confidence: Input should be less than 1"),
        ("serving.keep_versions=0", "serving.keep_versions: Input should be greater"),
        ("tuning.trials=-1", "tuning.trials: Input should be greater than or equal to 0"),
        ("features.known_at={a: t}", "known_at needs prediction_time"),
        ("sources.rows.clean.timestamps={t: {timezone: Mars/Base}}", "'Mars/Base' is not a time"),
        ("evaluation.thresholds={acu: {min: 0.5}}", "'acu' is not a metric of binary_class"),
        ("promotion.metric=root_mean_squared_error", "is not a metric of binary_classification"),
    ],
)
def test_a_value_that_does_not_fit_says_what_was_expected(project, override, expected):
    error = refused(project(), override)
    assert expected in error.message
    assert error.fix


def test_several_problems_are_told_at_once(project):
    error = refused(project(), "training.epochs=0", "tuning.folds=0")
    assert "training.epochs" in error.message
    assert "tuning.folds" in error.message


def test_limits_with_and_without_a_zone_can_be_mixed(project):
    until = "{train: 2020-01-01, eval: 2020-02-01T00:00:00Z, test: 2020-03-01T00:00:00+02:00}"
    found = load(project(), [f"split={{by: time, column: t, until: {until}}}"])
    assert [moment.tzinfo is not None for moment in found.split.until.values()] == [True] * 3


def test_overrides_win_over_the_file_and_may_make_sections(project):
    found = load(project(), ["training.epochs=3", "label.task=regression", "training.xla=true"])
    assert (found.training.epochs, found.training.xla) == (3, True)
    assert found.label.task == "regression"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epochs", "'training.epochs' is not KEY=VALUE"),
        ("=3", "'=3' is not KEY=VALUE"),
        ("name.x=3", "'name' is a value, not a section"),
        ("training.epochs=[1", "'training.epochs=[1' has a value that is not YAML"),
    ],
)
def test_an_override_that_cannot_be_used_is_shown(project, override, expected):
    error = refused(project(), override)
    assert expected in error.message
    assert error.fix


def test_a_folder_without_project_yaml_is_not_a_project(tmp_path):
    error = refused(tmp_path)
    assert "is not a project" in error.message
    assert "headrace init" in error.fix


@pytest.mark.parametrize("text", ["a: [1", "- just\n- a list", "\t"])
def test_a_file_that_is_not_a_mapping_is_refused_with_its_path(project, text):
    assert "project.yaml" in refused(project(text)).message


def test_a_project_without_model_code_is_refused(tmp_path):
    (tmp_path / "preprocessing.py").write_text("")
    with pytest.raises(ConfigError, match=r"lacks model\.py"):
        read_code(tmp_path)


def test_code_that_is_not_utf8_is_refused_with_its_path(tmp_path):
    (tmp_path / "preprocessing.py").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"preprocessing\.py is not UTF-8"):
        read_code(tmp_path)


def test_features_py_is_optional(tmp_path):
    for name in ("preprocessing.py", "model.py"):
        (tmp_path / name).write_text("x = 1")
    assert set(read_code(tmp_path)) == {"preprocessing.py", "model.py"}
