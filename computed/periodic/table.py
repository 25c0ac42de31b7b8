"""The table of periodic tasks, in the order in which those due at the same time run."""

from __future__ import annotations

from typing import Final

from computed.periodic import resources
from computed.periodic.task import Task

# Contract: periodic_tasks.json, run_order and tasks.
TASKS: Final[tuple[Task, ...]] = (resources.TASK,)
