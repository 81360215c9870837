"""Runs that a cluster starts again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headrace.components.shared.errors import ConfigError
from headrace.pipelines.cluster import lookup
from headrace.pipelines.cluster.arguments import Work
from headrace.pipelines.cluster.client import Cluster
from headrace.pipelines.cluster.submission import Settings, experiment_id, package_of

_CRON_FIELDS = 6
#: KFP accepts no more.
_MOST_AT_ONCE = 10


@dataclass(frozen=True, kw_only=True)
class When:
    """The times of a schedule.

    Attributes:
        cron: Six fields: second, minute, hour, day, month, day of the week; in UTC.
        interval: Seconds from one start to the next, instead of cron.
        start: Nothing starts before it.
        end: Nothing starts after it.
        max_concurrency: How many runs may go on at a time.
        catchup: Make up for starts that were missed while the schedule was off.
    """

    cron: str | None = None
    interval: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    max_concurrency: int = 1
    catchup: bool = False

    def check(self) -> None:
        """Raises ConfigError when KFP would refuse the times, or take them for other ones."""
        if (self.cron is None) == (self.interval is None):
            raise ConfigError(
                "A schedule needs either --cron or --interval.",
                fix='For example --cron "0 30 6 * * *" (every day at 6:30 UTC) or --interval 3600.',
            )
        if self.cron and len(self.cron.split()) != _CRON_FIELDS and not self.cron.startswith("@"):
            raise ConfigError(
                f"--cron {self.cron!r} has {len(self.cron.split())} fields. KFP's have "
                f"{_CRON_FIELDS}: the first are the seconds.",
                fix=f'Put a 0 before the usual five, for example "0 {self.cron}".',
            )
        if self.interval is not None and self.interval < 1:
            raise ConfigError(
                f"--interval must be 1 second or more, got {self.interval}.", fix="Name seconds."
            )
        if not 1 <= self.max_concurrency <= _MOST_AT_ONCE:
            raise ConfigError(
                f"--max-concurrency must be from 1 to {_MOST_AT_ONCE}, got {self.max_concurrency}.",
                fix="KFP allows no other.",
            )
        if self.start and self.end and _utc(self.start) >= _utc(self.end):
            raise ConfigError("--end must be after --start.", fix="Correct one of them.")


def create(
    cluster: Cluster, work: Work, values: Mapping[str, Any], settings: Settings, when: When
) -> Any:
    """Makes a schedule and returns what the server knows of it.

    Args:
        cluster: The server.
        work: The project.
        values: Its arguments.
        settings: How its runs are started.
        when: The times.

    Raises:
        ConfigError: the times are not usable, or the name is taken.
        ClusterError: the server refused or failed.
    """
    when.check()
    name = settings.name or f"{values['project']} {work.pipeline}"
    _require_free(cluster, name)
    experiment = experiment_id(cluster, settings.experiment or values["project"])
    with package_of(work, settings).file() as file, cluster.quiet() as client:
        return client.create_recurring_run(
            experiment_id=experiment,
            job_name=name,
            start_time=_text(when.start),
            end_time=_text(when.end),
            interval_second=when.interval,
            cron_expression=when.cron,
            max_concurrency=when.max_concurrency,
            no_catchup=not when.catchup,
            params=dict(values),
            pipeline_package_path=str(file),
            pipeline_root=settings.pipeline_root,
            service_account=settings.service_account,
        )


def every(cluster: Cluster) -> list[Any]:
    """All schedules, newest first."""
    ask = cluster.client.list_recurring_runs
    options = {"namespace": cluster.namespace or None, "sort_by": lookup.NEWEST_FIRST}
    return list(lookup.everything(ask, "recurring_runs", **options))


def find(cluster: Cluster, word: str) -> Any:
    """The schedule with this id or name.

    Raises:
        ClusterError: there is none.
    """

    def ask(**options: Any) -> Any:
        return cluster.client.list_recurring_runs(namespace=cluster.namespace or None, **options)

    by_id = cluster.client.get_recurring_run
    return lookup.one(word, "schedule", by_id, ask, "recurring_runs")


def set_enabled(cluster: Cluster, schedule: Any, enabled: bool) -> None:
    """Switches a schedule on or off."""
    client = cluster.client
    change = client.enable_recurring_run if enabled else client.disable_recurring_run
    change(schedule.recurring_run_id)


def delete(cluster: Cluster, schedule: Any) -> None:
    """Removes a schedule; runs that it started stay."""
    cluster.client.delete_recurring_run(schedule.recurring_run_id)


def _require_free(cluster: Cluster, name: str) -> None:
    found = cluster.client.list_recurring_runs(
        namespace=cluster.namespace or None, filter=lookup.named(name)
    )
    if lookup.exact(found.recurring_runs, name):
        raise ConfigError(
            f"A schedule named {name!r} exists on {cluster.url}.",
            fix=f'Choose another --name, or remove it: `headrace schedule delete "{name}"`.',
        )


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(moment: datetime | None) -> str | None:
    return _utc(moment).astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
