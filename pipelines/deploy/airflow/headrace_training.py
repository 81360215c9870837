"""An Airflow DAG that runs a project's pipeline every day.

Airflow and TFX cannot share an environment: the task calls the `headrace` of another one. Airflow's
variables say what to run; docs/how-to/ci-cd.md explains them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag

#: Exit code of `headrace run` when a gate did not promote the model: no failure, nothing pushed.
NOT_PROMOTED = 3

COMMAND = """
case "$TARGET" in
  local)    exec "$HEADRACE" run "$PROJECT" ;;
  kubeflow) exec "$HEADRACE" submit "$PROJECT" --wait ;;
  *) echo "The variable headrace_target must be local or kubeflow, got '$TARGET'." >&2; exit 2 ;;
esac
"""


@dag(
    schedule="30 6 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # Two trainings of one project would push one after the other.
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5)},
    tags=["headrace"],
    doc_md=__doc__,
)
def headrace_training() -> None:
    """One task: the steps, their cache and their retries are the pipeline's own."""
    BashOperator(
        task_id="run_pipeline",
        bash_command=COMMAND,
        env={
            "HEADRACE": "{{ var.value.get('headrace_command', 'headrace') }}",
            "PROJECT": "{{ var.value.headrace_project }}",
            "TARGET": "{{ var.value.get('headrace_target', 'local') }}",
        },
        append_env=True,
        skip_on_exit_code=NOT_PROMOTED,
    )


headrace_training()
