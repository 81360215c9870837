"""``headrace predict``: ask a model server, the gateway, or a pushed model for a whole table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace.cli.options import HomeOption, ProjectArgument, home_of

if TYPE_CHECKING:
    from headrace.serving.client import GrpcClient, RestClient

SIGNATURE = "raw_tensors"
ModelArgument = Annotated[str, typer.Argument(help="The model's name.", show_default=False)]
RowsArgument = Annotated[
    str,
    typer.Argument(
        help="A JSON object, or a list of them; @FILE reads a file, - standard input.",
        show_default=False,
    ),
]
VersionOption = Annotated[
    int | None, typer.Option(help="Version to ask.", show_default="the newest")
]
LabelOption = Annotated[
    str | None, typer.Option(help="The server's label of a version.", show_default=False)
]
SignatureOption = Annotated[str, typer.Option(help="The model's signature to call.")]
DeadlineOption = Annotated[float, typer.Option(help="Seconds to wait for the answer.", min=0.001)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

app = typer.Typer(
    help="Ask a model: over gRPC, REST or the gateway; or a pushed one for a whole table.",
    no_args_is_help=True,
)


@app.command("grpc")
def over_grpc(
    model: ModelArgument,
    rows: RowsArgument,
    server: Annotated[str, typer.Option(help="host:port for gRPC.")] = "localhost:8500",
    version: VersionOption = None,
    label: LabelOption = None,
    signature: SignatureOption = SIGNATURE,
    deadline: DeadlineOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Ask a model server over gRPC."""
    from headrace.serving.client import GrpcClient

    with GrpcClient(server, deadline=deadline) as client:
        _ask(client, model, rows, version, label, signature, as_json)


@app.command("rest")
def over_rest(
    model: ModelArgument,
    rows: RowsArgument,
    server: Annotated[str, typer.Option(help="URL of the REST interface.")] = (
        "http://localhost:8501"
    ),
    version: VersionOption = None,
    label: LabelOption = None,
    signature: SignatureOption = SIGNATURE,
    deadline: DeadlineOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Ask a model server over HTTP."""
    from headrace.serving.client import RestClient

    with RestClient(server, deadline=deadline) as client:
        _ask(client, model, rows, version, label, signature, as_json)


@app.command("gateway")
def by_gateway(
    model: ModelArgument,
    rows: RowsArgument,
    server: Annotated[str, typer.Option(help="URL of the gateway.")] = "http://localhost:8080",
    token: Annotated[
        str | None,
        typer.Option(
            envvar="HEADRACE_GATEWAY_TOKEN",
            help="Bearer token; better by variable.",
            show_default=False,
        ),
    ] = None,
    deadline: DeadlineOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Ask the gateway for entities; it reads their features."""
    import dataclasses

    from headrace.serving.client import GatewayClient

    asked = read_rows(rows)
    with GatewayClient(server, deadline=deadline, token=token) as client:
        answer = client.predict(model, asked)
    shown = [
        {
            **(row.outputs or {}),
            "rejected": row.rejected,
            "flags": ", ".join(f"{name} {flag['state']}" for name, flag in row.flags.items()),
        }
        for row in answer.rows
    ]
    show(model, answer.version, dataclasses.asdict(answer) if as_json else None, shown)


@app.command()
def batch(
    project: ProjectArgument,
    rows: Annotated[str, typer.Argument(help="Parquet file, folder or glob.")],
    destination: Annotated[
        str, typer.Argument(help="Folder for the predictions' folder, `v<version>-<hash>`.")
    ],
    version: Annotated[
        int, typer.Option(help="Version to ask.", min=0, show_default="the newest")
    ] = 0,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="COLUMN",
            help="Column to copy beside the predictions; may be given several times.",
            show_default="join keys, event_timestamp, and what the model does not take",
        ),
    ] = None,
    as_of: Annotated[
        str,
        typer.Option(
            metavar="MOMENT",
            help="Moment (ISO 8601) for a table without event_timestamp.",
            show_default=False,
        ),
    ] = "",
    home: HomeOption = None,
) -> None:
    """Predict every row of a Parquet table with PROJECT's pushed model.

    Killed? The same command continues with the shards that are not done yet.
    """
    from rich.console import Console

    from headrace.components.shared.config.project import load
    from headrace.pipelines.batch_inference.arguments import arguments
    from headrace.pipelines.compile import for_this_machine
    from headrace.pipelines.local import display, runner
    from headrace.pipelines.local.records import State

    place = home_of(project, home)
    values = arguments(
        project,
        home=place,
        rows=rows,
        destination=destination,
        version=version,
        keys=keys or [],
        as_of=as_of,
    )
    progress = display.Progress()
    with (
        progress.shown(),
        for_this_machine("batch_inference", load(project).platform) as pipeline,
    ):
        record = runner.run(
            pipeline, values, home=place, project=project.resolve().name, on_event=progress
        )
    display.show(record, Console(), again="the same command")
    if record.state is not State.SUCCEEDED:
        raise typer.Exit(1)
    typer.echo(
        record.tasks["batch-inference"].outputs.artifacts["predictions"].metadata["external_path"]
    )


def _ask(
    client: GrpcClient | RestClient,
    model: str,
    rows: str,
    version: int | None,
    label: str | None,
    signature: str,
    as_json: bool,
) -> None:
    from headrace.components.shared.errors import ConfigError
    from headrace.components.shared.text import nearest
    from headrace.serving.client import columns_of, rows_of

    asked = read_rows(rows)
    known = client.signatures(model, version=version, label=label)
    if signature not in known:
        raise ConfigError(
            f"Model {model!r} has no signature {signature!r}.", fix=nearest(signature, known)
        )
    inputs = columns_of(asked, known[signature])
    answer = client.predict(model, inputs, version=version, label=label, signature=signature)
    shown = rows_of(answer, len(asked))
    document = {"model": model, "version": answer.version, "predictions": shown}
    show(model, answer.version, document if as_json else None, shown)


def read_rows(rows: str) -> list[dict[str, Any]]:
    """The rows that the command line names."""
    from headrace.components.shared.errors import ConfigError

    text, where = rows, "ROWS"
    if rows == "-":
        text, where = sys.stdin.read(), "standard input"
    elif rows.startswith("@"):
        where = rows[1:]
        try:
            text = Path(where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where} cannot be read: {error}", fix="Name a file.") from None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(
            f"{where} is no JSON: {error}", fix='Write {"name": value, …}, or a list of such rows.'
        ) from None
    found = [found] if isinstance(found, dict) else found
    if not isinstance(found, list) or not found or not all(isinstance(r, dict) for r in found):
        raise ConfigError(
            f"{where} must be an object, or a list with at least one.",
            fix='Write {"name": value, …}, or a list of such rows.',
        )
    return found


def show(
    model: str, version: int | None, document: dict[str, Any] | None, rows: list[dict[str, Any]]
) -> None:
    """One JSON document for programs, or a table for people."""
    if document is not None:
        typer.echo(json.dumps(document))
        return
    from rich.console import Console
    from rich.table import Table

    title = f"{model}, version {version}" if version else model
    console = Console()
    console.print(title, style="italic", markup=False, highlight=False)  # wider than the table
    table = Table(box=None, header_style="bold", pad_edge=False)
    names = ["row", *dict.fromkeys(name for row in rows for name in row)]
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for number, row in enumerate(rows):
        table.add_row(str(number), *(_cell(row.get(name)) for name in names[1:]))
    console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    # More digits than a 32-bit number has would only seem exact.
    return f"{value:.7g}" if isinstance(value, float) else str(value)
