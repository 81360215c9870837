"""A SavedModel in a TensorFlow session, run through its C++ callables.

``session._make_callable_from_options`` skips what ``Session.run`` does in Python for each call,
and an inter-op pool of -1 runs the graph in the caller's thread. Both together are ten times as
fast for a small model. TensorFlow's single-threaded executor with all functions inlined is faster
still, but refuses some graphs (TF 1 reference variables, old control flow): those get the ordinary
one.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.apis import get_model_metadata_pb2

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.runtime import signatures
from headrace.serving.server.seam import Array, Signature

logger = logging.getLogger(__name__)

#: Runs a graph: values to feed in, fetched values out, both in the order that was asked for.
Runner = Callable[[Sequence[Array]], list[Array]]

_SINGLE_THREADED = "SINGLE_THREADED_EXECUTOR"


class SessionModel:
    """One loaded SavedModel.

    Attributes:
        signature_def_map: The signatures as the exporter wrote them.
        signatures: The same as values.

    Args:
        path: Folder with ``saved_model.pb``.
        config: The session's ``ConfigProto``.
        tags: Tags of the meta graph to load.

    Raises:
        ServingError: the model cannot be loaded.
    """

    def __init__(
        self, path: str, config: config_pb2.ConfigProto, tags: Sequence[str] = ("serve",)
    ) -> None:
        _check_present(path)
        with tf_errors():
            try:
                self._load(path, _single_threaded(config), tags)
            except tf.errors.UnimplementedError as error:
                logger.info("%s needs the ordinary executor: %s", path, error.message)
                self._load(path, config, tags)

    def runner(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Runner:
        """A function that feeds and fetches these tensors of the graph.

        Raises:
            ServingError: the graph cannot be run that way.
        """
        unique = tuple(dict.fromkeys(fetches))
        options = config_pb2.CallableOptions(feed=feeds, fetch=unique)
        options.run_options.inter_op_thread_pool = -1
        with tf_errors():
            call = self._session._make_callable_from_options(options)
        places = [unique.index(name) for name in fetches]

        def run(values: Sequence[Array]) -> list[Array]:
            try:
                results = call(*values)
            except tf.errors.OpError as error:
                raise ServingError(Code(error.error_code), error.message) from None
            except UnicodeDecodeError as error:  # TensorFlow's text quotes bytes of the request
                text = error.object.decode(errors="replace")
                raise ServingError(Code.INVALID_ARGUMENT, text) from None
            return [np.asarray(results[place]) for place in places]

        return run

    def close(self) -> None:
        """Frees the model; nothing may be running."""
        self._session.close()

    def _load(self, path: str, config: config_pb2.ConfigProto, tags: Sequence[str]) -> None:
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            with graph.as_default():
                loaded = tf.compat.v1.saved_model.loader.load(self._session, tags, path)
            self.signature_def_map = get_model_metadata_pb2.SignatureDefMap()
            self.signatures: Mapping[str, Signature] = {}
            for name in sorted(loaded.signature_def):
                definition = loaded.signature_def[name]
                self.signature_def_map.signature_def[name].CopyFrom(definition)
                self.signatures[name] = signatures.from_proto(definition)
            self._prepare()
        except BaseException:
            self._session.close()
            raise

    def _prepare(self) -> None:
        """Makes each signature's executor now: what it refuses must show before it serves."""
        for signature in self.signatures.values():
            options = config_pb2.CallableOptions(
                feed=[spec.name for spec in signature.inputs.values()],
                fetch=list(dict.fromkeys(spec.name for spec in signature.outputs.values())),
            )
            try:
                self._session._make_callable_from_options(options)
            except tf.errors.UnimplementedError:
                raise
            except tf.errors.OpError as error:  # an initializer, or a signature that is broken
                logger.debug("Signature without a callable: %s", error.message)


def _single_threaded(config: config_pb2.ConfigProto) -> config_pb2.ConfigProto:
    """The same with the fast executor, unless the user wants operations side by side."""
    fast = config_pb2.ConfigProto()
    fast.CopyFrom(config)
    # That executor gives each function of the graph to an ordinary one, which takes its time.
    fast.graph_options.optimizer_options.do_function_inlining = True
    if not (config.inter_op_parallelism_threads or config.experimental.executor_type):
        fast.experimental.executor_type = _SINGLE_THREADED
    return fast


def _check_present(path: str) -> None:
    if not any(tf.io.gfile.exists(f"{path}/saved_model.{kind}") for kind in ("pb", "pbtxt")):
        raise ServingError(
            Code.NOT_FOUND,
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. "
            "Check that the directory exists and that you have the right permissions for "
            "accessing it.",
        )


@contextlib.contextmanager
def tf_errors() -> Iterator[None]:
    """TensorFlow's errors, from C++ or from its Python loader, as the server's own."""
    try:
        yield
    except tf.errors.OpError as error:
        raise ServingError(Code(error.error_code), error.message) from None
    except RuntimeError as error:  # the loader's: no meta graph with these tags
        raise ServingError(Code.NOT_FOUND, str(error)) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ServingError(Code.INVALID_ARGUMENT, str(error)) from None
