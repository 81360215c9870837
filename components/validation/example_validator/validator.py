"""The work of ``example_validator``: anomalies against the schema, drift and skew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.components.shared import examples, report
from headrace.components.shared.config.data import Validation
from headrace.components.shared.errors import ConfigError
from headrace.components.shared.statistics import (
    STATISTICS_FILE,
    read_schema,
    read_statistics,
)
from headrace.components.shared.text import nearest


@dataclass(frozen=True)
class Anomaly:
    """One thing that is wrong.

    Attributes:
        split: The split it was seen in.
        feature: The column.
        problem: What TFDV calls it.
        detail: Numbers and values.
    """

    split: str
    feature: str
    problem: str
    detail: str


def run(
    *,
    statistics: Path,
    schema: Path,
    baseline: Path,
    rules: dict[str, Any],
    target: Path,
    page: Path,
) -> list[Anomaly]:
    """Validates every split.

    Args:
        statistics: ExampleStatistics artifact of this run.
        schema: Schema artifact.
        baseline: What ``resolver`` brought from the previous push; may be empty.
        rules: Keys of :class:`Validation`.
        target: ExampleAnomalies artifact to write.
        page: HTML report to write.

    Returns:
        All anomalies found.

    Raises:
        ConfigError: a rule names a feature that is not there.
    """
    import tensorflow_data_validation as tfdv

    wanted = Validation.parse(rules, where="validation")
    previous = _previous(baseline)
    limits = read_schema(schema)
    _check_names(wanted, {feature.name for feature in limits.feature})
    limits = _with_comparators(limits, wanted)
    parts = {s: read_statistics(examples.split_folder(statistics, s)) for s in examples.SPLITS}
    found: list[Anomaly] = []
    for split, current in parts.items():
        is_train = split == "train"
        anomalies = tfdv.validate_statistics(
            current,
            limits,
            previous_statistics=previous if is_train else None,
            serving_statistics=parts["eval"] if is_train and wanted.skew else None,
        )
        _write(anomalies, examples.split_folder(target, split))
        found += _listed(anomalies, split)
        found += _too_many_missing(current, wanted, split)
    if previous is not None:
        found += _changed_columns(previous, parts["train"])
    report.write(
        page,
        "anomalies.html",
        title="Data validation",
        anomalies=found,
        baseline=previous is not None,
        rules=wanted.model_dump(),
    )
    return found


def _check_names(rules: Validation, known: set[str]) -> None:
    for rule, limits in rules.model_dump().items():
        for name in limits:
            if name not in known:
                raise ConfigError(
                    f"validation.{rule} names {name!r}, which the examples do not have.",
                    fix=nearest(name, known),
                )


def _previous(baseline: Path) -> Any:
    folder = baseline / "statistics"
    return read_statistics(folder) if (folder / STATISTICS_FILE).exists() else None


def _with_comparators(schema: Any, rules: Validation) -> Any:
    from tensorflow_metadata.proto.v0 import schema_pb2

    for feature in schema.feature:
        for name, limits in (("drift", rules.drift), ("skew", rules.skew)):
            if feature.name not in limits:
                continue
            comparator = getattr(feature, f"{name}_comparator")
            kind = (
                "infinity_norm" if feature.type == schema_pb2.BYTES else "jensen_shannon_divergence"
            )
            getattr(comparator, kind).threshold = limits[feature.name]
    return schema


def _write(anomalies: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SchemaDiff.pb").write_bytes(anomalies.SerializeToString(deterministic=True))


def _listed(anomalies: Any, split: str) -> list[Anomaly]:
    return [
        Anomaly(split, name, info.short_description, info.description)
        for name, info in sorted(anomalies.anomaly_info.items())
    ]


def _too_many_missing(statistics: Any, rules: Validation, split: str) -> list[Anomaly]:
    found = []
    for feature in statistics.datasets[0].features:
        name = feature.path.step[0]
        common = (
            feature.num_stats if feature.HasField("num_stats") else feature.string_stats
        ).common_stats
        rows = common.num_missing + common.num_non_missing
        share = common.num_missing / rows if rows else 0.0
        if share > rules.max_missing.get(name, 1.0):
            limit = rules.max_missing[name]
            found.append(
                Anomaly(split, name, "Too many missing values", f"{share:.1%}, limit {limit:.1%}")
            )
    return found


def _changed_columns(previous: Any, current: Any) -> list[Anomaly]:
    """Columns that came, went or changed their type since the previous run."""
    before, now = _types(previous), _types(current)
    changes = [("Column is gone", before.keys() - now.keys())]
    changes += [("Type changed", {n for n in before.keys() & now.keys() if before[n] != now[n]})]
    return [
        Anomaly("train", name, problem, f"was {before[name]}, is {now.get(name, 'absent')}")
        for problem, names in changes
        for name in sorted(names)
    ]


def _types(statistics: Any) -> dict[str, str]:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    name_of = statistics_pb2.FeatureNameStatistics.Type.Name
    return {f.path.step[0]: name_of(f.type) for f in statistics.datasets[0].features}


def verdict(anomalies: list[Anomaly]) -> str:
    """One line for people."""
    if not anomalies:
        return "no anomalies"
    first = anomalies[0]
    return f"{len(anomalies)} anomalies, first: {first.feature} ({first.split}): {first.problem}"
