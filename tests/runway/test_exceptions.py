"""Failures: message, code, traceback, and the way through another process."""

import copy
import inspect
import pickle

import pytest

from runway import exceptions
from runway.exceptions import (
    InferenceError,
    InvalidArgumentError,
    RunwayError,
    SetupError,
    from_wire,
)

TABLE = [
    ("RunwayError", [], 500, "An unknown error occurred."),
    ("MissingOptionError", ["o"], 400, "Missing option: o."),
    ("MissingInputError", ["i"], 400, "Missing input: i."),
    ("InvalidArgumentError", ["a"], 400, "Invalid argument: a."),
    ("InvalidArgumentError", ["a", "because"], 400, "Invalid argument: a. because"),
    ("InferenceError", ["m"], 500, "Error during inference: m."),
    ("UnknownCommandError", ["c"], 404, "Unknown command: c."),
    ("SetupError", ["s"], 500, "Error during setup: s."),
    ("MissingArgumentError", ["g"], 500, "Missing argument: g."),
]


def caught(call):
    try:
        call()
    except RunwayError as error:
        return error
    raise AssertionError("nothing was raised")


def users_function():
    raise ZeroDivisionError("by the model")


def wrap():
    try:
        users_function()
    except ZeroDivisionError as error:
        raise InferenceError(repr(error)) from error


@pytest.mark.parametrize(("name", "args", "code", "message"), TABLE)
def test_each_class_has_its_documented_message_and_code(name, args, code, message):
    error = getattr(exceptions, name)(*args)

    assert (error.message, error.code, str(error)) == (message, code, message)
    assert error.to_response() == {"error": message, "traceback": []}


def test_no_other_name_in_the_module_ends_in_error():
    names = {name for name in vars(exceptions) if name.endswith("Error")}

    assert names == {row[0] for row in TABLE}
    assert all(inspect.isclass(getattr(exceptions, name)) for name in names)


def test_traceback_of_a_wrapped_failure_holds_the_users_function_then_the_raise_of_the_wrapper():
    frames = caught(wrap).get_traceback()

    assert all(frame == frame.strip() for frame in frames)
    cause = next(i for i, frame in enumerate(frames) if "in users_function" in frame)
    raised = next(i for i, frame in enumerate(frames) if "raise InferenceError" in frame)
    assert cause < raised


def test_traceback_ends_where_an_exception_is_its_own_ancestor():
    first, second = RunwayError("a"), RunwayError("b")
    first.__context__, second.__context__ = second, first

    assert first.get_traceback() == []


def test_suppressed_context_is_left_out():
    def suppressed():
        try:
            users_function()
        except ZeroDivisionError:
            raise SetupError("s") from None

    assert "users_function" not in "".join(caught(suppressed).get_traceback())


def test_print_exception_writes_message_and_frames_to_stderr(capsys):
    caught(wrap).print_exception()

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error during inference: ZeroDivisionError('by the model').\n")
    assert "in users_function" in err


@pytest.mark.parametrize(("name", "args", "code", "message"), TABLE)
def test_wire_keeps_class_code_message_and_traceback(name, args, code, message):
    sent = getattr(exceptions, name)(*args)
    wire = {**sent.to_wire(), "traceback": ["File x, line 1"]}

    received = from_wire(wire)

    assert type(received).__name__ == name
    assert received.to_wire() == wire
    assert str(received) == message


def test_wire_of_an_unknown_class_keeps_everything_but_the_class():
    wire = {"type": "NobodyKnows", "code": 503, "message": "full", "traceback": ["f"]}

    error = from_wire(wire)

    assert type(error) is RunwayError
    assert (error.code, error.message, error.get_traceback()) == (503, "full", ["f"])


def test_wire_finds_subclasses_of_other_modules():
    class QueueIsFullForTest(RunwayError):
        code = 503

        def __init__(self, lane, length):
            super().__init__(f"{lane} holds {length}")

    error = from_wire(QueueIsFullForTest("generate", 3).to_wire())

    assert type(error) is QueueIsFullForTest
    assert error.message == "generate holds 3"


def test_copies_and_pickles_do_not_wrap_the_message_again():
    error = InvalidArgumentError("x", "too large")

    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is InvalidArgumentError
        assert twin.message == "Invalid argument: x. too large"
