"""What Keras computes inside a network: its graph, as TensorFlow traces it.

A converter keeps the names of the graph's nodes where it can, so that the numbers inside what it
made can be compared with those inside the network.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from course_utils.inference.tracing import trace_network

# Operations, in small letters as in MIL.
RELUS = ("relu", "relu6")
ACTIVATIONS = ("softmax", "sigmoid")  # which make probabilities of logits


def freeze_graph(function: Any) -> tuple[Any, str, str]:
    """A traced function's graph with its weights in it, and its input's and output's names."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    whole = convert_variables_to_constants_v2(function)
    return whole.graph.as_graph_def(), whole.inputs[0].name, whole.outputs[0].name


class Graph:
    """The graph of a network, with any of its tensors to look at.

    Attributes:
        nodes: the names of its nodes, by what coremltools makes of them.
        relus: those of `nodes` that are a ReLU.
        logits: the node that the last softmax or sigmoid takes, or else the output.
    """

    def __init__(self, model: Any, shape: Sequence[int]):
        function = trace_network(model, shape, "example", examples=1).get_concrete_function()
        self._graph, self._input, output = freeze_graph(function)
        by_name = {node.name: node for node in self._graph.node}
        self.nodes = {_mangle(name): name for name in by_name}
        self.relus = {_mangle(node.name) for node in by_name.values() if node.op.lower() in RELUS}
        node = by_name[output.partition(":")[0]]
        while node.op == "Identity":
            node = by_name[node.input[0].partition(":")[0]]
        is_activation = node.op.lower() in ACTIVATIONS
        self.logits = node.input[0].partition(":")[0] if is_activation else node.name

    def run(
        self, examples: np.ndarray, wanted: Sequence[str], opened: Collection[str] = ()
    ) -> list[list[np.ndarray]]:
        """Tensors of the network, for one example after the other.

        Args:
            examples: ``(n, *shape)``.
            wanted: names of nodes.
            opened: ReLUs, by their names in `nodes`, that let everything pass.

        Returns:
            For each example, the tensors.
        """
        import tensorflow as tf

        graph = type(self._graph)()
        graph.CopyFrom(self._graph)
        for node in graph.node:
            if _mangle(node.name) in opened:
                node.op = "Identity"
        fetches = [f"{name}:0" for name in wanted]
        with tf.Graph().as_default():
            tf.graph_util.import_graph_def(graph, name="")
            with tf.compat.v1.Session() as session:
                return [session.run(fetches, {self._input: each[None]}) for each in examples]


def _mangle(name: str) -> str:
    """A node's name as coremltools writes it."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)
