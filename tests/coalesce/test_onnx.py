"""Runs of ONNX sessions: which are joined, which are left alone, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
onnx = pytest.importorskip("onnx", reason="needs onnx, to make models")

from tests.coalesce.running import Runner  # noqa: E402

FLOAT = onnx.TensorProto.FLOAT
WEIGHTS = np.random.RandomState(1).randn(4, 3).astype(np.float32)


def session(nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any], path: Any = None):
    """A session of a graph in which W is a matrix of weights."""
    make, value = onnx.helper.make_graph, onnx.helper.make_tensor_value_info
    weights = onnx.numpy_helper.from_array(WEIGHTS, "W")
    graph = make(
        nodes,
        "g",
        [value(name, FLOAT, shape) for name, shape in inputs.items()],
        [value(name, FLOAT, shape) for name, shape in outputs.items()],
        [weights],
    )
    opset = onnx.helper.make_opsetid("", 17)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
    if path is not None:
        onnx.save(model, path)
        return onnxruntime.InferenceSession(path)
    return onnxruntime.InferenceSession(model.SerializeToString())


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def rows(count: int = 6, *shape: int) -> list[Any]:
    generator = np.random.RandomState(7)
    return [generator.randn(*(shape or (1, 4))).astype(np.float32) for _ in range(count)]


def call(model, x):
    return model.run(None, {"x": x})


def run_twice(model, inputs, function=call) -> Runner:
    """A runner after checked and stacked groups, whose results were those of single calls."""
    expected = [function(model, value) for value in inputs]
    run = Runner(function, model)
    run.watch(inputs[0])
    for _ in range(4):
        for found, wanted in zip(run(inputs), expected, strict=True):
            assert type(found) is type(wanted)
            for one, other in zip(found, wanted, strict=True):
                assert one.shape == other.shape
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    return run


@pytest.fixture
def linear(tmp_path):
    nodes = [node("MatMul", "x W", "h"), node("Relu", "h", "y"), node("Neg", "h", "z")]
    shapes = {"y": ["n", 3], "z": ["n", 3]}
    return session(nodes, {"x": ["n", 4]}, shapes, tmp_path / "linear.onnx")


def test_equal_calls_share_a_run_once_they_agreed(linear):
    run = run_twice(linear, rows())

    assert sum(run.sizes.values()) >= 2
    assert run.coalescer.statistics.checks[False] == 0
    (case,) = run.coalescer.cases()
    assert (case.name, case.signature) == ("linear.onnx", "1x4 float32")


def test_outputs_may_be_asked_for_by_name(linear):
    assert run_twice(linear, rows(), lambda model, x: model.run(["z"], {"x": x})).sizes


def test_calls_that_hold_several_items_each(linear):
    assert run_twice(linear, rows(6, 3, 4)).sizes


def test_other_shapes_and_other_outputs_are_never_joined(linear):
    def command(model, value):
        x, names = value
        return model.run(names, {"x": x})

    inputs = [(x, ["y"]) for x in rows(3)] + [(x, ["z"]) for x in rows(3)]
    run = run_twice(linear, inputs + [(x, ["y"]) for x in rows(3, 2, 4)], command)

    assert run.sizes
    assert max(run.sizes) <= 3


def test_results_have_memory_of_their_own(linear):
    run = run_twice(linear, rows())

    first, second, *_ = run(rows())
    first[0][:] = 7

    assert not (second[0] == 7).any()


def test_a_single_call_runs_as_written(linear):
    run = Runner(call, linear)
    for x in rows(8):
        assert np.array_equal(run([x])[0][0], call(linear, x)[0])
    assert run.sizes == {}


def refused(model, inputs=None, function=call) -> str:
    run = run_twice(model, rows() if inputs is None else inputs, function)
    assert run.sizes == {}
    return " / ".join(run.reasons.values())


def test_a_fixed_number_of_items_is_left_alone():
    model = session([node("MatMul", "x W", "y")], {"x": [1, 4]}, {"y": [1, 3]})

    assert "the first dimension of its inputs is fixed: x [1, 4]" in refused(model)


def test_items_that_mix_are_left_alone():
    nodes = [node("ReduceMean", "x", "m", axes=[0], keepdims=1), node("Sub", "x m", "y")]
    model = session(nodes, {"x": ["n", 4]}, {"y": ["n", 4]})

    assert "differ" in refused(model)


def test_equal_items_that_mix_are_found():
    nodes = [node("ReduceMean", "x", "m", axes=[0], keepdims=1), node("Add", "x m", "y")]
    model = session(nodes, {"x": ["n", 4]}, {"y": ["n", 4]})
    equal = [np.arange(4, dtype=np.float32)[None]] * 6

    assert "depends on the items beside it" in refused(model, equal)


def test_outputs_without_a_dimension_for_items_are_left_alone():
    model = session([node("ReduceSum", "x", "y", keepdims=0)], {"x": ["n", 4]}, {"y": []})

    def command(model, x):
        return [np.asarray(model.run(None, {"x": x})[0])]

    assert refused(model, function=command) != ""


def test_an_item_that_the_session_refuses_fails_alone(linear):
    run = run_twice(linear, rows())
    bad = np.zeros((1, 5), np.float32)

    *good, failed = run([*rows(4), bad])

    assert isinstance(failed, Exception) and "5" in str(failed)
    for found, x in zip(good, rows(4), strict=True):
        np.testing.assert_allclose(found[0], call(linear, x)[0], rtol=1e-4, atol=1e-5)
