"""Verbs of the table that a conductor leads from cell to cell, and what it takes back when a leg fails.

What the conductor does is a fact of the stock release (nova.conductor.tasks.cross_cell_migrate). Each cell
has attachments of its own there, which one record of everything has not: these servers have no volumes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from computed import errors
from computed.embedded.conductor.calls import complete
from computed.embedded.servers import user_context
from computed.states import Action, MigrationStatus, TaskState, VmState
from tests.functional.cloud import HOST
from tests.functional.failures.stage import SECOND, Stage
from tests.functional.failures.verb import ANSWERS, Step, Verb, states
from tests.functional.failures.verbs import detach_volume
from tests.functional.resize.cross_cell import CrossCell


class Leader(CrossCell):
    """The conductor. Whatever fails, the server ends with no task."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.cloud)
        self._stage = stage

    def resize(self, uuid: str) -> None:
        """To the second host, with the disks in an image."""
        self.begin_move(uuid)
        image = self._stage.owner.image(uuid)
        try:
            self._claim_there()
            self.prep_source(image)
            self._build_there(image)
        except ANSWERS:
            self._come_back(image)

    def _claim_there(self) -> None:
        try:
            self.prep_dest()
        except ANSWERS:
            # For this leg an agent leaves no fault: another host may be tried.
            self._add_fault()
            raise

    def _build_there(self, image: str) -> None:
        try:
            self.finish(image)
        except ANSWERS:
            self._set(vm_state=VmState.ERROR)
            raise

    def _come_back(self, image: str) -> None:
        network, images = self.cloud.embedded.network, self.cloud.embedded.images
        if not self.cloud.row(self.uuid)["deleted"]:
            network.delete_bindings(self.context, self.instance(self.uuid, self.context), host=SECOND)
        with suppress(errors.ImageNotFound):
            images.delete(self.context, image)
        self.give_up(self.context, self.uuid, self.uuid_of_move)

    def confirm_move(self, uuid: str) -> None:
        """The source has nothing of it any more."""
        with self._leading(uuid, Action.CONFIRM_RESIZE, None, MigrationStatus.CONFIRMING):
            self.leg("confirm_snapshot_based_resize_at_source", HOST)
            self.set_migration(self.uuid_of_move, status=MigrationStatus.CONFIRMED)
            self._set(vm_state=VmState.ACTIVE, old_flavor=None, new_flavor=None, migration_context=None)

    def revert_move(self, uuid: str) -> None:
        """It is what it was, where it was."""
        task = TaskState.RESIZE_REVERTING
        with self._leading(uuid, Action.REVERT_RESIZE, task, MigrationStatus.REVERTING):
            self.leg("revert_snapshot_based_resize_at_dest", SECOND)
            self.leg("finish_revert_snapshot_based_resize_at_source", HOST)

    @contextmanager
    def _leading(
        self, uuid: str, action: Action, task: TaskState | None, status: MigrationStatus
    ) -> Iterator[None]:
        self.context, self.uuid = user_context(), uuid
        self.uuid_of_move = self.migrations(uuid)[-1]["uuid"]
        self.begin(self.context, uuid, action, task)
        self.set_migration(self.uuid_of_move, status=status)
        try:
            yield
        except ANSWERS:
            self.set_migration(self.uuid_of_move, status=MigrationStatus.ERROR)
            self._set(vm_state=VmState.ERROR)

    def _set(self, **fields: Any) -> None:
        if not self.cloud.row(self.uuid)["deleted"]:
            self.cloud.set_fields(self.uuid, task_state=None, **fields)

    def _add_fault(self) -> None:
        fault = {"instance_uuid": self.uuid, "code": 400, "message": "no valid host was found", "host": None}
        with self.cloud.embedded.store.transaction() as records:
            records.insert("InstanceFault", complete("InstanceFault", fault))


def _led(how: Callable[[Leader, str], None]) -> Step:
    def step(stage: Stage, uuid: str) -> None:
        how(Leader(stage), uuid)
        stage.rest(uuid)

    return step


RESIZE: Final = _led(Leader.resize)
ENDS: Final = states("active", "resized")
BARE: Final = (detach_volume,)

CROSS_CELL_VERBS: Final = (
    Verb("cross-cell", RESIZE, ENDS, before=BARE),
    Verb("cross-cell-confirm", _led(Leader.confirm_move), ENDS, before=(*BARE, RESIZE)),
    Verb("cross-cell-revert", _led(Leader.revert_move), ENDS, before=(*BARE, RESIZE)),
)
