"""Options that the commands on a server share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from headrace.pipelines.cluster.connection import Connection

_PANEL = "Server"


def _option(name: str, variables: str | list[str], text: str, **more: Any) -> Any:
    """An option of the connection; its value is never shown as a default."""
    return typer.Option(
        name, envvar=variables, help=text, show_default=False, rich_help_panel=_PANEL, **more
    )


_OPTIONS: dict[str, Any] = {
    "host": Annotated[
        str | None,
        _option(
            "--host",
            ["HEADRACE_KFP_HOST", "KF_PIPELINES_ENDPOINT"],
            "URL of Kubeflow Pipelines, such as https://kubeflow.example/pipeline.",
        ),
    ],
    "namespace": Annotated[
        str | None,
        _option("--namespace", "HEADRACE_KFP_NAMESPACE", "Your namespace, with several users."),
    ],
    "token": Annotated[
        str | None, _option("--token", "HEADRACE_KFP_TOKEN", "Bearer token; better by variable.")
    ],
    "token_file": Annotated[
        str | None,
        _option(
            "--token-file",
            ["HEADRACE_KFP_TOKEN_FILE", "KF_PIPELINES_SA_TOKEN_PATH"],
            "File with the token, read again for each request.",
        ),
    ],
    "cookies": Annotated[
        str | None,
        _option("--cookies", "HEADRACE_KFP_COOKIES", "Cookies of a session; better by variable."),
    ],
    "client_id": Annotated[
        str | None,
        _option(
            "--client-id",
            ["HEADRACE_KFP_CLIENT_ID", "KF_PIPELINES_IAP_OAUTH2_CLIENT_ID"],
            "Client ID of Google's identity-aware proxy.",
        ),
    ],
    "other_client_id": Annotated[
        str | None,
        _option(
            "--other-client-id",
            ["HEADRACE_KFP_OTHER_CLIENT_ID", "KF_PIPELINES_APP_OAUTH2_CLIENT_ID"],
            "OAuth client ID of a user, for that proxy.",
        ),
    ],
    "other_client_secret": Annotated[
        str | None,
        _option(
            "--other-client-secret",
            ["HEADRACE_KFP_OTHER_CLIENT_SECRET", "KF_PIPELINES_APP_OAUTH2_CLIENT_SECRET"],
            "Its secret; better by variable.",
        ),
    ],
    "ssl_ca_cert": Annotated[
        str | None,
        _option("--ssl-ca-cert", "HEADRACE_KFP_SSL_CA_CERT", "File of certificates to trust."),
    ],
    "insecure": Annotated[
        bool,
        _option("--insecure", "HEADRACE_KFP_INSECURE", "Do not verify the server's certificate."),
    ],
    "timeout": Annotated[
        float,
        _option("--timeout", "HEADRACE_KFP_TIMEOUT", "Seconds to wait for an answer.", min=0.1),
    ],
}

PipelineOption = Annotated[
    Literal["training", "materialization"], typer.Option("--pipeline", help="Which pipeline.")
]
ExperimentOption = Annotated[
    str | None, typer.Option("--experiment", help="Group of runs.", show_default="the project")
]
RootOption = Annotated[
    str | None,
    typer.Option(
        "--pipeline-root",
        envvar="HEADRACE_KFP_PIPELINE_ROOT",
        help="URI of the folder for artifacts.",
        show_default="the server's",
    ),
]
AccountOption = Annotated[
    str | None,
    typer.Option(
        "--service-account",
        envvar="HEADRACE_KFP_SERVICE_ACCOUNT",
        help="Kubernetes service account of the steps.",
        show_default="the server's",
    ),
]
DataOption = Annotated[
    bool,
    typer.Option("--data-in-image", help="The steps' image holds the `package://` sources."),
]
FeatureRootOption = Annotated[
    str | None,
    typer.Option(
        "--feature-root",
        help="materialization: URI of the Feast repository's tables and registry.",
        show_default=False,
    ),
]
FeatureConfigOption = Annotated[
    str | None,
    typer.Option(
        "--feature-config",
        help="materialization: configuration file, such as feature_store.redis.yaml.",
        show_default=False,
    ),
]
EveryOption = Annotated[
    float, typer.Option("--every", min=0.01, help="Seconds between two looks at the run.")
]
RunArgument = Annotated[str, typer.Argument(help="A run's id or name, or `latest`.")]
ProjectOrFile = Annotated[
    Path, typer.Argument(help="A compiled pipeline, or a project folder.", show_default=False)
]


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command with a parameter ``connection`` the options that make one."""

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        fields = {name: values.pop(name) for name in _OPTIONS}
        command(connection=Connection(**fields), **values)

    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "connection"
    ]
    keyword = inspect.Parameter.KEYWORD_ONLY
    more = [
        inspect.Parameter(name, keyword, default=getattr(Connection, name), annotation=kind)
        for name, kind in _OPTIONS.items()
    ]
    # Typer reads both.
    with_options.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
    with_options.__annotations__ = {item.name: item.annotation for item in [*own, *more]}
    return with_options
