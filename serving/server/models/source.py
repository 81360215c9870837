"""Which versions the file system holds, and which of them a policy wants."""

from __future__ import annotations

import logging
import re
from typing import Any

import tensorflow as tf

logger = logging.getLogger(__name__)

_NUMBER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_INT64 = range(-(2**63), 2**63)


def wanted(config: Any) -> dict[int, str] | None:
    """The versions of a model that should be served.

    Args:
        config: The model's ``ModelConfig``.

    Returns:
        Folder by version; None when the base path is not there, which may pass.
    """
    base = config.base_path.rstrip("/") or "/"
    try:
        if not tf.io.gfile.exists(base):
            logger.error("Could not find base path %s for servable %s", base, config.name)
            return None
        children = tf.io.gfile.listdir(base)
    except tf.errors.OpError as error:
        logger.error("%s cannot be listed: %s", base, error.message)
        return None
    found = _versions(base, children)
    chosen = _choose(found, config.model_version_policy, config.name)
    if not chosen:
        logger.warning(
            "No versions of servable %s found under base path %s. Did you forget to name your "
            "leaf directory as a number (eg. '/1/')?",
            config.name,
            base,
        )
    return chosen


def _versions(base: str, children: list[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for child in sorted(child.rstrip("/") for child in children):
        if _NUMBER.fullmatch(child) and int(child) in _INT64:
            if int(child) in found:
                logger.warning("Duplicate version directories detected: %s/%s", base, child)
            found[int(child)] = f"{base}/{child}"
    return found


def _choose(found: dict[int, str], policy: Any, name: str) -> dict[int, str]:
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return found
    if kind == "specific":
        for version in policy.specific.versions:
            if version not in found:
                logger.warning("Version %d of servable %s was not found", version, name)
        return {version: found[version] for version in policy.specific.versions if version in found}
    number = max(policy.latest.num_versions, 1)
    return {version: found[version] for version in sorted(found)[-number:]}
