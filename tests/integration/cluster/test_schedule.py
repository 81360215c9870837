"""``headrace schedule``: recurring runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from headrace.components.shared.errors import ConfigError
from headrace.pipelines.cluster.uploads import is_same

from .test_submit import TRAINING, cached_tasks, only


def test_a_project_every_day(done, server, project):
    output = done("schedule", project, "--cron", "0 30 6 * * *", "--cache")
    schedule = only(server.schedules)
    assert schedule.trigger.cron_schedule.cron == "0 30 6 * * *"
    assert is_same(schedule.pipeline_spec, TRAINING)
    assert schedule.runtime_config.parameters["project"] == "taxi"
    assert (schedule.display_name, schedule.mode) == ("taxi training", "ENABLE")
    assert schedule.no_catchup is True
    assert schedule.max_concurrency == "1"
    assert output == f"{schedule.recurring_run_id}  taxi training\n"


def test_every_hour_between_two_dates(done, server, project):
    done(
        *("schedule", "--interval", 3600, "--name", "hourly", "--max-concurrency", 2, "--catchup"),
        *("--start", "2026-01-01T06:00:00", "--end", "2026-02-01T00:00:00", project),
    )
    schedule = only(server.schedules)
    times = schedule.trigger.periodic_schedule
    assert times.interval_second == "3600"
    assert times.start_time == datetime(2026, 1, 1, 6, tzinfo=UTC)
    assert times.end_time == datetime(2026, 2, 1, tzinfo=UTC)
    assert (schedule.no_catchup, schedule.max_concurrency) == (False, "2")


def test_new_data_are_read_each_time(done, server, project):
    """The arguments of a schedule never change, so a cache would always answer."""
    done("schedule", project, "--interval", 60)
    assert cached_tasks(only(server.schedules).pipeline_spec) == set()


@pytest.mark.parametrize(
    ("words", "message", "fix"),
    [
        ([], "either --cron or --interval", "0 30 6 * * *"),
        (["--cron", "0 0 * * * *", "--interval", "60"], "either --cron or --interval", "3600"),
        (["--cron", "30 6 * * *"], "has 5 fields", '"0 30 6 * * *"'),
        (["--interval", "0"], "1 second or more", "seconds"),
        (["--interval", "60", "--max-concurrency", "11"], "from 1 to 10", "no other"),
        (
            ["--interval", "60", "--start", "2026-02-01", "--end", "2026-01-01"],
            "--end must be after --start",
            "one of them",
        ),
    ],
)
def test_times_that_kfp_would_misunderstand(refused, server, project, words, message, fix):
    error = refused("schedule", project, *words)
    assert isinstance(error, ConfigError)
    assert message in error.message
    assert fix in error.fix
    assert server.requests == []


def test_a_name_is_given_once(done, refused, server, project):
    done("schedule", project, "--interval", 60)
    error = refused("schedule", project, "--interval", 60)
    assert "'taxi training' exists" in error.message
    assert 'headrace schedule delete "taxi training"' in error.fix
    assert len(server.schedules) == 1


def test_off_on_and_away_by_name_or_id(done, server, project):
    done("schedule", project, "--interval", 60, "--name", "mine")
    schedule = only(server.schedules)
    assert done("schedule", "disable", "mine") == "mine is off.\n"
    assert schedule.status == "DISABLED"
    assert done("schedule", "enable", schedule.recurring_run_id) == "mine is on.\n"
    assert schedule.status == "ENABLED"
    done("schedule", "delete", "mine")
    assert server.schedules == {}


def test_the_list_goes_over_all_pages(done, server, project):
    assert "No schedules" in done("schedule", "list")
    done("schedule", project, "--interval", 90, "--name", "first")
    first = only(server.schedules)
    for number in range(150):
        server.create_schedule(type(first)(display_name=f"n{number}", mode="DISABLE"))
    output = done("schedule", "list")
    assert "every 1.5 min" in output or "every 90.0 s" in output
    assert all(f"n{number} " in output for number in range(150))


def test_an_unknown_schedule_names_the_nearest(done, refused, project):
    done("schedule", project, "--interval", 60, "--name", "nightly")
    error = refused("schedule", "delete", "nigthly")
    assert "no schedule with the id or name 'nigthly'" in error.message
    assert error.fix == "Did you mean 'nightly'?"
