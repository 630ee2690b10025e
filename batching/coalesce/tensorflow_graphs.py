"""TensorFlow's graphs: which of them must not be stacked, and the stacks that `with` blocks keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runway_serve.batching.coalesce.adapter import Part
from runway_serve.batching.coalesce.patches import loaded

# Operations that keep state and may be stacked over: they only read it.
READERS = frozenset(
    {"VarHandleOp", "ReadVariableOp", "Variable", "VariableV2", "VarIsInitializedOp", "Placeholder"}
    | {"HashTableV2", "MutableHashTableV2", "LookupTableFindV2"}
)
WRITERS = ("Assign", "Scatter", "Apply", "ResourceApply", "ResourceScatter")


def objection(fetches: Sequence[Any], feeds: Sequence[Any]) -> str | None:
    """Why a pass through a graph must be left alone, None if it looks fit."""
    if not any(_takes_any_number(feed) for feed in feeds if feed.shape.rank != 0):
        names = ", ".join(f"{feed.name} {feed.shape}" for feed in feeds)
        return f"no placeholder has an unknown first dimension: {names}"
    for fetch in fetches:
        if not _takes_any_number(fetch):
            return f"{fetch.name} of shape {fetch.shape} has no unknown first dimension"
    fed = {id(feed) for feed in feeds}
    seen: set[int] = set()
    waiting = [fetch.op for fetch in fetches if id(fetch) not in fed]
    while waiting:
        operation = waiting.pop()
        if id(operation) in seen:
            continue
        seen.add(id(operation))
        if _has_effects(operation):
            return (
                f"{operation.name} is {operation.type}, which draws at random, writes or calls out"
            )
        waiting += [tensor.op for tensor in operation.inputs if id(tensor) not in fed]
        waiting += operation.control_inputs
    return None


def _takes_any_number(tensor: Any) -> bool:
    return tensor.shape.rank is None or (tensor.shape.rank > 0 and tensor.shape[0] is None)


def _has_effects(operation: Any) -> bool:
    if operation.type in READERS:
        return False
    definition = operation.op_def
    return operation.type.startswith(WRITERS) or (definition is not None and definition.is_stateful)


def stacks() -> list[Part]:
    """Default graphs, default sessions, and whether operations run at once; private, but old and stable."""
    ops = loaded("tensorflow.python.framework.ops")
    stack = loaded("tensorflow.python.framework.stack")
    eager = loaded("tensorflow.python.eager.context")
    if ops is None or stack is None or eager is None:
        return []
    context = eager.context()
    modes = context._thread_local_data

    def graphs() -> Any:
        return tuple(ops._default_graph_stack.stack), tuple(context.context_switches.stack)

    def set_graphs(kept: Any) -> None:
        ops._default_graph_stack.stack[:], context.context_switches.stack[:] = kept

    def set_sessions(kept: Any) -> None:
        stack._default_session_stack.stack[:] = kept

    return [
        ("default graphs", graphs, set_graphs),
        ("default sessions", lambda: tuple(stack._default_session_stack.stack), set_sessions),
        ("eager mode", lambda: modes.is_eager, lambda kept: setattr(modes, "is_eager", kept)),
    ]
