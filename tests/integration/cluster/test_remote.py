"""``headrace remote``: runs on the server."""

from __future__ import annotations

import pytest

from headrace.pipelines.cluster import transport
from headrace.pipelines.cluster.errors import ClusterError

from .test_submit import TRAINING


def test_the_list_is_the_newest_first(done, server):
    assert "No runs" in done("remote", "list")
    server.add_run("old", ("SUCCEEDED", {}))
    server.add_run("new", ("RUNNING", {}))
    lines = done("remote", "list").splitlines()
    assert "new" in lines[1] and "running" in lines[1]
    assert "old" in lines[2] and "succeeded" in lines[2]
    assert len(done("remote", "list", "--limit", 1).splitlines()) == 2


def test_show_by_id_by_name_and_the_latest(done, server):
    run = server.add_run("mine", ("FAILED", {"ingest": "SUCCEEDED", "trainer": "FAILED"}))
    outputs = [done("remote", "show", word) for word in (run.run_id, "mine", "latest")]
    for output in outputs:
        assert "✔  ingest" in output
        assert "✘ trainer: trainer went wrong" in output
        assert run.run_id in output


def test_steps_of_kfp_itself_are_not_shown(done, server):
    states = {"root-driver": "SUCCEEDED", "root": "RUNNING", "executor": "RUNNING"}
    groups = {"exit-handler-1": "RUNNING", "condition-2": "RUNNING", "ingest": "RUNNING"}
    server.add_run("with pipeline", ("RUNNING", {**states, **groups}), spec=TRAINING.spec)
    shown = done("remote", "show")
    assert "ingest" in shown and "0/21 steps" in shown
    assert not any(name in shown for name in ("root", "executor", "exit-handler", "condition"))
    server.add_run("without", ("RUNNING", {**states, "ingest": "RUNNING"}))
    shown = done("remote", "show")
    assert "ingest" in shown and "executor" not in shown


@pytest.mark.parametrize(
    ("state", "code"), [("SUCCEEDED", 0), ("SKIPPED", 0), ("FAILED", 1), ("CANCELED", 130)]
)
def test_watch_ends_with_the_runs_exit_code(command, server, state, code):
    running = ("RUNNING", {"ingest": "RUNNING"})
    server.add_run("r", ("PENDING", {}), ("PENDING", {}), running, (state, {}))
    result = command("remote", "watch", "r", "--every", "0.01")
    assert result.exit_code == code
    assert "▶ ingest  running" in result.output


def test_watch_outlasts_a_server_that_is_away_for_a_while(command, server):
    run = server.add_run("r", *[("RUNNING", {})] * 3, ("SUCCEEDED", {}))
    server.fail(f"/runs/{run.run_id}", skip=2, times=2 * transport.ATTEMPTS, status=503)
    result = command("remote", "watch", run.run_id, "--every", "0.01")
    assert result.exit_code == 0
    assert server.faults[0].times == 0


def test_watch_outlasts_a_request_without_an_answer(command, server):
    run = server.add_run("r", *[("RUNNING", {})] * 3, ("SUCCEEDED", {}))
    server.fail(f"/runs/{run.run_id}", skip=2, hang=0.5)
    words = ("remote", "watch", run.run_id, "--every", "0.01", "--timeout", "0.2")
    assert command(*words).exit_code == 0
    assert server.faults[0].times == 0


def test_watch_gives_up_when_the_server_stays_away(command, server, monkeypatch):
    monkeypatch.setattr(transport, "ATTEMPTS", 1)
    run = server.add_run("r", ("RUNNING", {}))
    server.fail(f"/runs/{run.run_id}", skip=2, times=1000, status=503)
    result = command("remote", "watch", run.run_id, "--every", "0.01")
    assert isinstance(result.exception, ClusterError)
    assert result.exception.status == 503


def test_watch_ends_at_once_when_the_credentials_do(command, server):
    run = server.add_run("r", ("RUNNING", {}))
    server.fail(f"/runs/{run.run_id}", skip=2, times=1000, status=401)
    result = command("remote", "watch", run.run_id, "--every", "0.01")
    assert isinstance(result.exception, ClusterError)
    assert server.asked("GET", run.run_id) == 3


def test_logs_per_step_from_the_api_server(done, server):
    run = server.add_run("r", ("FAILED", {"ingest": "SUCCEEDED", "trainer": "FAILED"}))
    server.logs = {"ingest-pod": "123\n", "trainer-pod": '{"epoch": 1}\n<b>'}
    assert done("remote", "logs", "r") == '── ingest ──\n123\n── trainer ──\n{"epoch": 1}\n<b>\n'
    assert done("remote", "logs", run.run_id, "--step", "ingest") == "── ingest ──\n123\n"


def test_without_logs_there_is_the_kubectl_command(refused, server):
    run = server.add_run("r", ("FAILED", {"ingest": "SUCCEEDED"}))
    error = refused("remote", "logs", "r", "--namespace", "team")
    assert "gives no log of ingest: KFP's API 2 has none" in error.message
    assert f"kubectl logs -n team -l pipeline/runid={run.run_id} -c main" in error.fix
    # Asked once: repeating would not bring the pod back.
    assert server.asked("GET", "/log$") == 1


def test_a_step_that_is_not_there(refused, server):
    server.add_run("r", ("FAILED", {"ingest": "SUCCEEDED"}))
    error = refused("remote", "logs", "r", "--step", "ingst")
    assert error.fix == "Did you mean 'ingest'?"


def test_retry_of_a_failed_run_only(done, refused, server):
    failed = server.add_run("failed", ("FAILED", {}))
    assert failed.run_id in done("remote", "retry", "failed")
    assert failed.state == "RUNNING"
    server.add_run("good", ("SUCCEEDED", {}))
    assert "only a failed or canceled run" in refused("remote", "retry", "good").message
    assert server.asked("POST", ":retry") == 1


def test_terminate_of_a_running_run_only(done, refused, server):
    running = server.add_run("running", ("RUNNING", {}))
    assert done("remote", "terminate", "running") == "Stopping running.\n"
    assert running.state == "CANCELING"
    server.add_run("ended", ("SUCCEEDED", {}))
    assert "has ended: SUCCEEDED" in refused("remote", "terminate", "ended").message


def test_links_lead_to_the_web_interface(done, server, monkeypatch):
    monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", "https://kubeflow.example/pipeline/")
    run = server.add_run("r", ("RUNNING", {}))
    link = f"https://kubeflow.example/pipeline/#/runs/details/{run.run_id}"
    assert link in done("remote", "show")


def test_an_unknown_run(refused, server):
    server.add_run("nightly", ("RUNNING", {}))
    error = refused("remote", "show", "nigthly")
    assert "no run with the id or name 'nigthly'" in error.message
    assert error.fix == "Did you mean 'nightly'?"
