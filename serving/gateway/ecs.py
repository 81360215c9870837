"""Application logs as JSON lines with the fields of the Elastic Common Schema."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import socket
from typing import Any

_VERSION = "8.11.0"
#: What every record has; everything else was given with ``extra=``.
_OWN = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", "color_message"}


class EcsFormatter(logging.Formatter):
    """One JSON object per record; dotted names of ``extra=`` become nested objects."""

    def __init__(self, service: str) -> None:
        """Prepares.

        Args:
            service: Value of ``service.name``.
        """
        super().__init__()
        self._base = {
            "ecs": {"version": _VERSION},
            "service": {"name": service},
            "host": {"hostname": socket.gethostname()},
            "process": {"pid": os.getpid()},
        }

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        moment = dt.datetime.fromtimestamp(record.created, tz=dt.UTC)
        line: dict[str, Any] = {
            "@timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "message": record.getMessage(),
            **self._base,
            "log": {"level": record.levelname.lower(), "logger": record.name},
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = {
                "type": record.exc_info[0].__name__,
                "message": str(record.exc_info[1]),
                "stack_trace": self.formatException(record.exc_info),
            }
        for name, value in record.__dict__.items():
            if name not in _OWN:
                _put(line, name.split("."), value)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(service: str, *, access: bool) -> None:
    """Sends all logging to standard error in this form.

    Args:
        service: Value of ``service.name``.
        access: Whether each answered request is a line; failed ones always are.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(EcsFormatter(service))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("feast").setLevel(logging.WARNING)
    logging.getLogger("headrace.access").setLevel(logging.INFO if access else logging.WARNING)


def _put(line: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        line = line.setdefault(part, {})
    line[path[-1]] = value
