"""Options that the commands on a server share."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from headrace.cli.options import SetOption
from headrace.pipelines.cluster.connection import Connection

_PANEL = "Server"


def _option(name: str, variables: str | list[str], text: str, **more: Any) -> Any:
    """An option of the connection; its value is never shown as a default."""
    return typer.Option(
        name, envvar=variables, help=text, show_default=False, rich_help_panel=_PANEL, **more
    )


_CONNECTION: dict[str, Any] = {
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

_WORK: dict[str, Any] = {
    "pipeline": Annotated[
        Literal["training", "materialization", "batch_inference"],
        typer.Option("--pipeline", help="Which pipeline."),
    ],
    "compiled": Annotated[
        Path | None,
        typer.Option(
            "--compiled",
            envvar="HEADRACE_KFP_COMPILED",
            help="Folder that `headrace compile` wrote.",
            show_default="compiled for the project",
        ),
    ],
    "overrides": SetOption,
    "data_in_image": Annotated[
        bool,
        typer.Option("--data-in-image", help="The steps' image holds the `package://` sources."),
    ],
    "feature_root": Annotated[
        str | None,
        typer.Option(
            "--feature-root",
            help="materialization, batch_inference: URI of the Feast repository's tables.",
            show_default=False,
        ),
    ],
    "feature_config": Annotated[
        str | None,
        typer.Option(
            "--feature-config",
            help="materialization: configuration file, such as feature_store.redis.yaml.",
            show_default=False,
        ),
    ],
    "rows": Annotated[
        str | None,
        typer.Option("--rows", help="batch_inference: URI of Parquet files.", show_default=False),
    ],
    "predictions": Annotated[
        str | None,
        typer.Option(
            "--predictions",
            help="batch_inference: URI of the folder above what is written.",
            show_default=False,
        ),
    ],
}
_SETTINGS: dict[str, Any] = {
    "experiment": Annotated[
        str | None, typer.Option("--experiment", help="Group of runs.", show_default="the project")
    ],
    "pipeline_root": Annotated[
        str | None,
        typer.Option(
            "--pipeline-root",
            envvar="HEADRACE_KFP_PIPELINE_ROOT",
            help="URI of the folder for artifacts.",
            show_default="the server's",
        ),
    ],
    "service_account": Annotated[
        str | None,
        typer.Option(
            "--service-account",
            envvar="HEADRACE_KFP_SERVICE_ACCOUNT",
            help="Kubernetes service account of the steps.",
            show_default="the server's",
        ),
    ],
}
#: A command's parameter, the options that stand for it, what is made of their values.
_GROUPS: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    "connection": (_CONNECTION, Connection),
    "work": (_WORK, dict),
    "settings": (_SETTINGS, dict),
}
_DEFAULTS: dict[str, Any] = {
    "insecure": Connection.insecure,
    "timeout": Connection.timeout,
    "pipeline": "training",
    "data_in_image": False,
}

EveryOption = Annotated[
    float, typer.Option("--every", min=0.01, help="Seconds between two looks at the run.")
]
RunArgument = Annotated[str, typer.Argument(help="A run's id or name, or `latest`.")]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that its parameters connection, work and settings stand for."""
    names = inspect.signature(command).parameters
    groups = {name: group for name, group in _GROUPS.items() if name in names}

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        made = {
            name: make(**{option: values.pop(option) for option in options})
            for name, (options, make) in groups.items()
        }
        command(**made, **values)

    parameters = [*_own(command, groups), *itertools.chain(*map(_options, groups.values()))]
    # Typer reads both.
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {item.name: item.annotation for item in parameters}
    return with_options


def _own(command: Callable[..., None], groups: Iterable[str]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            yield parameter.replace(annotation=hints[name])


def _options(group: tuple[dict[str, Any], Any]) -> Iterator[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    for name, kind in group[0].items():
        yield inspect.Parameter(name, keyword, default=_DEFAULTS.get(name), annotation=kind)
