"""Make frozen TensorFlow graphs of the two published TensorFlow.js models. Not needed to serve them.

    runway-serve examples fetch face_mesh --with source
    python convert.py      # writes weights/detector.pb and weights/mesh.pb

A TensorFlow.js graph model is a GraphDef in JSON and its weights beside it. Three things differ: fused operations
come apart again, Prelu becomes operations TensorFlow has, weights stay 16-bit numbers and are cast when the graph runs.
"""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

HERE = Path(__file__).resolve().parent
MODELS = {"detector": "facemesh-detection-short", "mesh": "facemesh"}


class Converter:
    """Builds one GraphDef; the nodes keep their published names."""

    def __init__(self, weights):
        self.weights = weights
        self.graph = tf.compat.v1.GraphDef()

    def convert(self, node):
        """Add what stands for a published node."""
        parsed = json_format.ParseDict(node, tf.compat.v1.NodeDef(), ignore_unknown_fields=True)
        if node["op"] == "Const" and node["name"] in self.weights:
            self.add_weight(node["name"], self.weights[node["name"]])
        elif node["op"] == "Prelu":
            self.add_prelu(parsed.name, *parsed.input)
        elif node["op"] == "_FusedConv2D":
            self.add_convolution(parsed)
        else:
            parsed.attr.pop("_output_shapes", None)
            self.graph.node.append(parsed)

    def add_weight(self, name, array):
        if array.dtype != np.float16:
            self.add_constant(name, array)
            return
        self.add_constant(f"{name}/half", array)
        cast = self.graph.node.add(name=name, op="Cast", input=[f"{name}/half"])
        cast.attr["SrcT"].type = tf.float16.as_datatype_enum
        cast.attr["DstT"].type = tf.float32.as_datatype_enum

    def add_constant(self, name, array):
        node = self.graph.node.add(name=name, op="Const")
        node.attr["dtype"].type = tf.as_dtype(array.dtype).as_datatype_enum
        tensor = node.attr["value"].tensor
        tensor.dtype = tf.as_dtype(array.dtype).as_datatype_enum
        tensor.tensor_shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
        tensor.tensor_content = array.tobytes()

    def add(self, name, op, *inputs):
        node = self.graph.node.add(name=name, op=op, input=inputs)
        node.attr["T"].type = tf.float32.as_datatype_enum

    def add_prelu(self, name, x, slope):
        """What is positive stays; what is not is multiplied."""
        self.add(f"{name}/positive", "Relu", x)
        self.add(f"{name}/rest", "Sub", x, f"{name}/positive")
        self.add(f"{name}/negative", "Mul", f"{name}/rest", slope)
        self.add(name, "AddV2", f"{name}/positive", f"{name}/negative")

    def add_convolution(self, fused):
        steps = [step.decode() for step in fused.attr["fused_ops"].list.s]
        name, inputs = f"{fused.name}/conv", list(fused.input)
        conv = self.graph.node.add(name=name, op="Conv2D", input=inputs[:2])
        for key in ("T", "strides", "padding", "data_format", "dilations", "explicit_paddings"):
            if key in fused.attr:
                conv.attr[key].CopyFrom(fused.attr[key])
        rest = inputs[2:]
        for number, step in enumerate(steps):
            target = fused.name if number == len(steps) - 1 else f"{fused.name}/{number}"
            if step == "BiasAdd":
                self.add(target, "BiasAdd", name, rest.pop(0))
            elif step == "Prelu":
                self.add_prelu(target, name, rest.pop(0))
            else:
                self.add(target, step, name)
            name = target


def read_weights(folder, manifest):
    """Arrays by name; 16-bit ones as they are stored."""
    arrays = {}
    for group in manifest:
        raw = b"".join((folder / path).read_bytes() for path in group["paths"])
        offset = 0
        for weight in group["weights"]:
            dtype = np.dtype(weight.get("quantization", weight)["dtype"])
            count = int(np.prod(weight["shape"]))
            array = np.frombuffer(raw, dtype, count, offset).reshape(weight["shape"])
            arrays[weight["name"]] = array
            offset += array.nbytes
        if offset != len(raw):
            raise ValueError(f"{len(raw) - offset} bytes of {group['paths']} belong to no weight")
    return arrays


def main():
    for ours, theirs in MODELS.items():
        path = HERE / "weights" / "source" / f"{theirs}.json"
        published = json.loads(path.read_text())
        converter = Converter(read_weights(path.parent, published["weightsManifest"]))
        for node in published["modelTopology"]["node"]:
            converter.convert(node)
        target = HERE / "weights" / f"{ours}.pb"
        target.write_bytes(converter.graph.SerializeToString(deterministic=True))
        print(target.name, target.stat().st_size)


if __name__ == "__main__":
    main()
