"""How this host calls a verb on itself, with every guard that the same call from outside would have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class OwnCalls:
    """The RPC methods of this compute, called in this thread without a message.

    Operations and periodic tasks stand below the room that knows the guards, so whoever wires the house
    connects them.
    """

    def __init__(self) -> None:
        self._call: Callable[..., Any] | None = None

    def connect(self, call: Callable[..., Any]) -> None:
        """`call(name, context, **arguments)` runs the method `name` of compute_rpc.json inside its guards."""
        self._call = call

    def __call__(self, name: str, context: Any, **arguments: Any) -> Any:
        """Run the method; raises what it raises, after its guards have recorded that."""
        if self._call is None:
            raise RuntimeError(f"{name} was called on a host that is not wired yet")
        return self._call(name, context, **arguments)
