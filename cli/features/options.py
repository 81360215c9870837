"""Options that the commands on a Feast repository share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

REPO = Path("feature_repo")
#: Exit code when a check found something; 1 means that the command itself failed.
FOUND = 4

RepoOption = Annotated[
    Path, typer.Option("--repo", "-r", help="The Feast repository, with its registry applied.")
]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        "-f",
        envvar="FEAST_FS_YAML_FILE_PATH",
        help="Configuration file in the repository, such as feature_store.redis.yaml.",
        show_default="feature_store.yaml",
    ),
]
UrlOption = Annotated[
    str, typer.Option("--url", envvar="HEADRACE_STREAM_URL", help="Redis of the event stream.")
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="MOMENT",
        help="Answer as if it were this moment (ISO 8601) now; time goes on from there. For "
        "recorded data.",
        show_default=False,
    ),
]
LOCAL_REDIS = "redis://localhost:6379/0"
STREAM = "headrace:events"
StreamOption = Annotated[str, typer.Option("--stream", help="Name of the stream or topic.")]
KafkaOption = Annotated[
    str | None,
    typer.Option(
        "--kafka", help="Kafka's bootstrap servers, instead of Redis.", show_default=False
    ),
]
