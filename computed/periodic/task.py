"""What one periodic task is: how often, since when, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.steps.host import ComputeHost

Run = Callable[["ComputeHost", Any], None]
Spacing = Callable[["cfg.ConfigOpts"], float | None]
Gate = Callable[["ComputeHost"], bool]

DEFAULT_SPACING_SECONDS: Final = 60.0
"""Contract: periodic_tasks.json, default_interval_seconds."""


@dataclass(frozen=True, slots=True)
class Task:
    """One row of the table (contract: periodic_tasks.json, tasks).

    `spacing` gives the seconds between two runs, None for never; it is read anew before every run, so a
    changed option counts at once. `run_immediately` tasks run in the first round, the others after one
    spacing. `gate` says whether there is anything to do at all.
    """

    name: str
    run: Run
    spacing: Spacing
    run_immediately: bool = False
    gate: Gate = lambda host: True


def every(option: str, *, zero_is_never: bool = False) -> Spacing:
    """Spacing by `option`, written "name" or "section.name": below 0 is never, 0 the default period or,
    with `zero_is_never`, never."""
    path = option.split(".")

    def spacing(conf: cfg.ConfigOpts) -> float | None:
        value: Any = conf
        for name in path:
            value = getattr(value, name)
        if value < 0 or (value == 0 and zero_is_never):
            return None
        return float(value) or DEFAULT_SPACING_SECONDS

    return spacing


def default_spacing(conf: cfg.ConfigOpts) -> float | None:
    """The period of tasks that no option speeds up or slows down."""
    return DEFAULT_SPACING_SECONDS
