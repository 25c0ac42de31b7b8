"""What one RPC method is: its arguments, the operation behind it and the guards around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Operation = Callable[..., Any]
"""`operation(host, context, **arguments)`: a steps.host.ComputeHost and the arguments of the RPC.

The first two are given by position: the operation of a method that itself has an argument `host` calls its
ComputeHost otherwise."""

Arguments = Mapping[str, Any]


class _Required:
    """Stands where a default would stand when there is none."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a method and what it is when the caller leaves it out."""

    name: str
    default: object = REQUIRED

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Call:
    """One row of the table of RPC methods (contract: compute_rpc.json, methods).

    `event` is the name of the action event recorded around the operation, or None. `lock` names the
    lock to hold meanwhile; without it none is. `expected_errors` are answers, not failures:
    the caller gets them and the log does not shout. `own_instance` says that the instance must live on
    this host: a stray message is refused before anything is touched. `background` lets the operation
    leave the pool of RPC threads, for casts that may last minutes.
    """

    name: str
    arguments: tuple[Argument, ...]
    operation: Operation
    event: str | None = None
    notify_exception: bool = True
    records_fault: bool = False
    reverts_task_state: bool = False
    errors_out_migration: bool = False
    deletes_image_on_error: bool = False
    own_instance: bool = False
    background: bool = False
    lock: Callable[[Arguments], str] | None = None
    expected_errors: tuple[type[Exception], ...] = field(default=())

    def bind(self, given: Arguments) -> dict[str, Any]:
        """`given` with the defaults filled in.

        Raises TypeError, with the names and never the values, when one is missing or unknown.
        """
        return bind(self.name, self.arguments, given)


def bind(method: str, arguments: tuple[Argument, ...], given: Arguments) -> dict[str, Any]:
    """Match what the caller gave with what `method` takes; see Call.bind."""
    known = {argument.name for argument in arguments}
    unknown = sorted(str(name)[:_SHOWN_CHARACTERS] for name in given if name not in known)
    missing = sorted(a.name for a in arguments if a.is_required and a.name not in given)
    if unknown or missing:
        raise TypeError(_complaint(method, missing, unknown))
    return {a.name: given.get(a.name, a.default) for a in arguments}


def parse_arguments(text: str) -> tuple[Argument, ...]:
    """Read "instance node=None flag=False": names in the order of the contract, defaults after `=`."""
    return tuple(_parse_argument(word) for word in text.split())


def _parse_argument(word: str) -> Argument:
    name, has_default, default = word.partition("=")
    return Argument(name, _DEFAULTS[default] if has_default else REQUIRED)


def _complaint(method: str, missing: list[str], unknown: list[str]) -> str:
    parts = []
    if missing:
        parts.append(f"lacks {', '.join(missing)}")
    if unknown:
        more = f" and {len(unknown) - _SHOWN_NAMES} more" if len(unknown) > _SHOWN_NAMES else ""
        parts.append(f"does not take {', '.join(unknown[:_SHOWN_NAMES])}{more}")
    return f"{method} {' and '.join(parts)}"


_DEFAULTS: Final[Mapping[str, object]] = {"None": None, "False": False, "True": True}
# A hostile message may carry any number of names of any length; the log line must stay readable.
_SHOWN_NAMES: Final = 5
_SHOWN_CHARACTERS: Final = 64
