"""onnxruntime: predictions by a session over a model built in memory."""

import os

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from fastbp.cli.bench import Workload
from fastbp.cli.rivals import activations, first_parameters

VERSION = f"onnxruntime {onnxruntime.__version__}"
OPERATORS = {"tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid", "softmax": "Softmax"}


def model(workload: Workload) -> bytes:
    """Return the network as an ONNX file."""
    nodes, constants, last = [], [], "x"
    for i, ((W, b), name) in enumerate(zip(first_parameters(workload), activations(workload), strict=True)):
        constants += [numpy_helper.from_array(W, f"W{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [last, f"W{i}", f"b{i}"], [f"z{i}"]))
        last = f"z{i}"
        if name in OPERATORS:
            nodes.append(helper.make_node(OPERATORS[name], [last], [f"y{i}"]))
            last = f"y{i}"
    kind = TensorProto.FLOAT if workload.dtype == "float32" else TensorProto.DOUBLE
    ends = (
        helper.make_tensor_value_info(name, kind, [workload.batch_size, n])
        for name, n in (("x", workload.layers[0]), (last, workload.layers[-1]))
    )
    graph = helper.make_graph(nodes, "network", *([end] for end in ends), constants)
    versions = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=versions, ir_version=9).SerializeToString()


class Inference:
    def __init__(self, workload: Workload) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model(workload), options, providers=["CPUExecutionProvider"]
        )
        self._outputs = [self._session.get_outputs()[0].name]
        self._inputs = {"x": workload.data()[0]}

    def predict(self) -> np.ndarray:
        return self._session.run(self._outputs, self._inputs)[0]
