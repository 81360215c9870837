"""How a component interface is declared: which image it runs in, and nothing installed at start."""

import functools
from collections.abc import Callable
from typing import Any

from kfp import dsl

from headrace import __version__

#: For steps that need no TensorFlow: small, quick to pull.
CORE_IMAGE = f"headrace/core:{__version__}"
#: For steps that run TensorFlow, TFX or Beam.
TFX_IMAGE = f"headrace/tfx:{__version__}"


def component(image: str) -> Callable[[Callable[..., Any]], Any]:
    """Declares a lightweight Python component that runs in ``image`` as it is."""
    return functools.partial(dsl.component, base_image=image, install_kfp_package=False)
