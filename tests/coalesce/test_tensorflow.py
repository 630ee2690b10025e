"""Sessions of TensorFlow 1 and models of Keras: which calls are joined, which are left alone, and why.

`test_tensorflow_elsewhere.py` runs this file where another interpreter has TensorFlow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="needs TensorFlow")
keras = pytest.importorskip("keras", reason="needs Keras 3")

from tests.coalesce.running import Runner  # noqa: E402

v1 = tf.compat.v1
layers = keras.layers


def rows(count: int = 6, *shape: int) -> list[Any]:
    generator = np.random.RandomState(7)
    return [generator.randn(*(shape or (1, 4))).astype(np.float32) for _ in range(count)]


def run_twice(function, model, inputs, rounds: int = 4) -> Runner:
    """A runner after checked and stacked groups, whose results were those of single calls."""
    expected = [function(model, value) for value in inputs]
    run = Runner(function, model)
    run.watch(inputs[0])
    for _ in range(rounds):
        for found, wanted in zip(run(inputs), expected, strict=True):
            assert type(found) is type(wanted), found
            np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-4, atol=1e-5)
    return run


def refused(function, model, inputs=None) -> str:
    run = run_twice(function, model, rows() if inputs is None else inputs)
    assert run.sizes == {}
    return " / ".join(run.reasons.values())


class Graph:
    """A graph of TensorFlow 1 with a session: y = relu(x W)."""

    def __init__(self, items: int | None = None) -> None:
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.x = v1.placeholder(tf.float32, [items, 4], name="x")
            weights = v1.get_variable(
                "W", [4, 3], initializer=v1.random_normal_initializer(seed=1), use_resource=False
            )
            self.y = tf.nn.relu(tf.matmul(self.x, weights), name="y")
            self.noisy = self.y + 0 * v1.random_normal(tf.shape(self.y))
            self.total = tf.reduce_sum(self.y)
            self.mixed = self.y + 0.1 * tf.reduce_mean(self.y, axis=0, keepdims=True)
            self.steps = v1.get_variable("steps", [], initializer=v1.zeros_initializer())
            with v1.control_dependencies([v1.assign_add(self.steps, 1.0)]):
                self.counting = tf.identity(self.y)
            self.session = v1.Session(graph=self.graph)
            self.session.run(v1.global_variables_initializer())

    def __call__(self, name: str, value: Any) -> Any:
        return self.session.run(getattr(self, name), {self.x: value})


@pytest.fixture
def graph():
    made = Graph()
    with made.graph.as_default():  # else tensors of graphs have no hash, and cannot be fed
        yield made
    made.session.close()


class TestSessions:
    def test_equal_calls_share_a_run_once_they_agreed(self, graph):
        run = run_twice(lambda model, x: model("y", x), graph, rows())

        assert sum(run.sizes.values()) >= 2
        (case,) = run.coalescer.cases()
        assert (case.name, case.signature) == ("y:0", "1x4 float32")

    def test_fed_lists_are_arrays(self, graph):
        lists = [x.tolist() for x in rows()]

        assert run_twice(lambda model, x: model("y", x), graph, lists).sizes

    def test_several_fetches_keep_their_structure(self, graph):
        def command(model, x):
            found = model.session.run({"a": model.y, "b": [model.mixed]}, {model.x: x})
            return found["a"] + 0 * found["b"][0]

        assert "differ" in refused(command, graph)

        def harmless(model, x):
            found = model.session.run({"a": model.y, "b": [model.x]}, {model.x: x})
            return np.concatenate([found["a"], found["b"][0]], axis=1)

        assert run_twice(harmless, graph, rows()).sizes

    def test_graphs_and_sessions_of_with_blocks_stay_with_their_call(self):
        models = [Graph(), Graph()]

        def command(models, value):
            number, x = value
            model = models[number]
            with model.graph.as_default(), model.session.as_default():
                first = v1.get_default_session().run(model.y, {model.x: x})
                assert v1.get_default_graph() is model.graph
                second = model.session.run(model.y, {model.x: x + 1})
                assert v1.get_default_session() is model.session
            assert v1.get_default_session() is None
            assert tf.executing_eagerly()
            return np.concatenate([first, second])

        inputs = [(index % 2, x) for index, x in enumerate(rows(8))]
        assert run_twice(command, models, inputs).sizes
        for model in models:
            model.session.close()

    @pytest.mark.parametrize(
        ("fetch", "reason"),
        [
            ("noisy", "RandomStandardNormal, which draws at random"),
            ("counting", "writes or calls out"),
            ("total", "has no unknown first dimension"),
            ("mixed", "differ"),
        ],
    )
    def test_what_mixes_draws_or_writes_is_left_alone(self, graph, fetch, reason):
        assert reason in refused(lambda model, x: np.asarray(model(fetch, x)), graph)

    def test_a_fixed_number_of_items_is_left_alone(self):
        model = Graph(items=1)
        with model.graph.as_default():
            reason = refused(lambda model, x: model("y", x), model)
        model.session.close()

        assert "no placeholder has an unknown first dimension: x:0 (1, 4)" in reason

    def test_an_operation_is_run_as_written(self, graph):
        def command(model, x):
            model.session.run(model.steps.op, {model.x: x})
            return model("y", x)

        assert run_twice(command, graph, rows()).sizes


@pytest.fixture
def network():
    keras.utils.set_random_seed(1)
    x = keras.Input((4,))
    hidden = layers.BatchNormalization()(layers.Dense(5, activation="relu")(x))
    return keras.Model(x, layers.Dense(3)(layers.Dropout(0.5)(hidden)), name="small")


class TestKeras:
    def test_calls_share_a_run_once_they_agreed(self, network):
        run = run_twice(lambda model, x: model(tf.constant(x)), network, rows())

        assert sum(run.sizes.values()) >= 2
        (case,) = run.coalescer.cases()
        assert (case.name, case.signature) == ("small", "1x4 float32")

    def test_arrays_are_tensors_too(self, network):
        assert run_twice(lambda model, x: model(x, training=False), network, rows()).sizes

    def test_predict_gives_arrays(self, network):
        run = run_twice(lambda model, x: model.predict(x, verbose=0), network, rows())

        assert sum(run.sizes.values()) >= 2

    def test_sequential_models(self):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])

        assert run_twice(lambda model, x: model(x), model, rows()).sizes

    def test_models_of_a_class_of_the_scripts_own(self):
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = layers.Dense(3)

            def call(self, x):
                return self.dense(x) * 2

        assert run_twice(lambda model, x: model(x), Own(), rows()).sizes

    def test_models_in_a_dict(self, network):
        command = lambda model, x: model["net"].predict(x, verbose=0)  # noqa: E731

        assert run_twice(command, {"net": network}, rows()).sizes

    def test_training_mode_is_left_alone(self, network):
        def command(model, x):
            model(x, training=True)
            return 0

        assert "changes" in refused(command, network)

    def test_items_that_mix_are_left_alone(self):
        class Centred(keras.Model):
            def call(self, x):
                return x - keras.ops.mean(x, axis=0, keepdims=True) + keras.ops.sum(x)

        assert "differ" in refused(lambda model, x: model(x), Centred())

    def test_gradients_are_left_alone(self, network):
        def command(model, x):
            x = tf.constant(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum(model(x))
            return tape.gradient(y, x)

        assert refused(command, network) == "it computes gradients"

    def test_calls_that_seed_tensorflow_run_one_at_a_time(self, network):
        def command(model, seed):
            tf.random.set_seed(seed)
            return model(tf.random.normal((1, 4)) + tf.random.normal((1, 4)))

        assert "seeds tensorflow" in refused(command, network, [1, 2, 3, 4])

    def test_a_device_of_a_with_block_is_left(self, network):
        def command(model, x):
            with tf.device("/CPU:0"):
                return model(x)

        assert refused(command, network) == "it calls no network that could be shared"
        assert tf.constant(1).device  # the usual device is back

    def test_functions_of_tensorflow_are_run_as_written(self, network):
        compiled = tf.function(network)

        assert refused(lambda model, x: compiled(tf.constant(x)), network) != ""
