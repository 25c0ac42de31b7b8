"""A live migration as its source sees it: waiting for its turn, preparing the other end, letting go."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.operations.live_migration.rollback import Rollback, cancel_waiting
from computed.states import ExternalEventName, MigrationStatus
from computed.steps import live_migration as shared
from computed.steps import network, overtaken
from computed.steps.announce import announce
from computed.steps.departures import Departure
from computed.steps.faults import record_fault
from computed.steps.guest import PARTS, known_guest
from computed.steps.handover import Handover, activate_ports, end_in_error
from computed.steps.records import set_migration_status

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.events import Expectation
    from computed.steps.host import ComputeHost
    from computed.virt.specs import LiveMigrationProgress

LOG = logging.getLogger(__name__)

PROGRESS_SECONDS: Final = 5.0
"""How often the records say how far a live migration is."""

_NOT_BEGUN: Final = (MigrationStatus.ACCEPTED, MigrationStatus.QUEUED)


@dataclass(frozen=True)
class Order:
    """What the conductor has sent: the guest, where to, and what both ends have agreed upon."""

    instance: Any
    dest: str
    block_migration: bool | None
    migration: Any
    migrate_data: Any


def live_migration(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    dest: str,
    instance: Any,
    block_migration: bool | None,
    migration: Any,
    migrate_data: Any,
) -> None:
    """Let the instance go to host `dest` as soon as it is its turn; returns before that.

    Raises LiveMigrationNotSubmitted when the agent stops, MigrationError when another live migration of
    the instance is under way. An order that has come before is ignored; one that a restart has ended before
    it came only gives back what was prepared.
    """
    if host.departures.meet_refused(migration.uuid):
        LOG.warning("Live migration %s of instance %s was ended by a restart", migration.uuid, instance.uuid)
        shared.give_back_destination(host, context, instance, migration)
        return
    if host.departures.knows(migration.uuid) or _is_old(host, context, instance, migration):
        LOG.warning("Live migration %s of instance %s was ordered again", migration.uuid, instance.uuid)
        return
    order = Order(instance, dest, block_migration, migration, migrate_data)
    departure = Departure(
        instance_uuid=instance.uuid,
        migration_uuid=migration.uuid,
        migration_id=migration.id,
        run=lambda departure: LiveMigration(host, context, order, departure).run(),
        cancel=lambda: cancel_waiting(host, context, instance, migration),
    )
    try:
        if not host.departures.submit(departure, may_wait=False):
            set_migration_status(host, migration, MigrationStatus.QUEUED)
            host.departures.submit(departure, may_wait=True)
    except errors.ShuttingDown as error:
        cancel_waiting(host, context, instance, migration)
        raise errors.LiveMigrationNotSubmitted(
            migration_uuid=migration.uuid, instance_uuid=instance.uuid
        ) from error


def _is_old(host: ComputeHost, context: Any, instance: Any, migration: Any) -> bool:
    """Whether a process before this one has carried the order out: the guest is gone, the record says so."""
    try:
        host.driver.state(instance)
    except errors.InstanceNotFound:
        return objects.Migration.get_by_id(context, migration.id).status not in _NOT_BEGUN
    except errors.HypervisorUnavailable:
        LOG.warning("Live migration of instance %s: the hypervisor cannot be asked yet", instance.uuid)
    return False


class LiveMigration:
    """One live migration that has got its turn, in a thread of its own."""

    def __init__(
        self, host: ComputeHost, context: RequestContext, order: Order, departure: Departure
    ) -> None:
        self.host = host
        self.context = context
        self.order = order
        self.instance = order.instance
        self.migration = order.migration
        self.data = order.migrate_data
        self.departure = departure
        self.bdms: Any = ()
        self._is_ready = False
        """Whether the destination is."""
        self._has_begun = False
        """Whether the hypervisor has been told to let it go."""
        self._progress_at = time.monotonic()

    def run(self) -> None:
        """Prepare, let go, and finish or take back. What fails is recorded; nothing is raised."""
        self.context.update_store()
        started = time.monotonic()
        try:
            self._prepare()
            self._begin_leaving()
            self._let_go()
        except errors.LiveMigrationAborted:
            self._end_aborted()
        except errors.HypervisorUnavailable as error:
            if self._has_begun:
                self._lose(error)
            else:
                self._fail(error)
        except Exception as error:
            if self.host.departures.is_stopped(self.departure):
                self._end_aborted()
            else:
                self._fail(error)
        else:
            self._finish(started)

    # Before the guest leaves

    def _prepare(self) -> None:
        """Everything until the destination is ready. How the volumes are connected here is kept in mind."""
        host, instance = self.host, self.instance
        instance.load(*PARTS)
        set_migration_status(host, self.migration, MigrationStatus.PREPARING)
        self.bdms = shared.read_bdms(self.context, instance, self.data)
        # The destination's room is held for this migration: the audit then knows whose it is.
        self.data.migration = self.migration
        disk = host.driver.disks_to_send(self.context, self._spec(), self.data)
        with self._plugging() as expectation:
            self.data = host.computes.pre_live_migration(
                self.context, self.order.dest, instance=instance, disk=disk, migrate_data=self.data
            )
            self._is_ready = True
            self.data.migration = self.migration
            if expectation is not None and shared.value_of(self.data, "wait_for_vif_plugged"):
                self._wait_for(expectation)

    def _spec(self) -> Any:
        spec = known_guest(self.instance, self.bdms)
        return replace(spec, network_info=shared.vifs_at_source(self.data, self.instance))

    @contextmanager
    def _plugging(self) -> Iterator[Expectation | None]:
        """From now on keep what the network says of the ports: it speaks before the destination is done."""
        ports = [vif["id"] for vif in network.cached(self.instance)]
        if not (ports and self.host.conf.vif_plugging_timeout):
            yield None
            return
        events = [(str(ExternalEventName.NETWORK_VIF_PLUGGED), port) for port in ports]
        with self.host.events.expect(self.instance.uuid, events) as expectation:
            yield expectation

    def _wait_for(self, expectation: Expectation) -> None:
        """Wait until the network has plugged everything at the destination.

        Raises MigrationError, VirtualInterfacePlugException; with vif_plugging_is_fatal off that is only
        logged."""
        conf, dest = self.host.conf, self.order.dest
        try:
            expectation.wait(conf.vif_plugging_timeout)
        except errors.InstanceEventTimeout as error:
            failure: Exception = errors.MigrationError(
                reason=f"the network did not say within {conf.vif_plugging_timeout} s that "
                f"{expectation.missing()} are plugged on {dest}; where it never says so, switch "
                f"[compute]live_migration_wait_for_vif_plug off there"
            )
            failure.__cause__ = error
        except errors.NovaException as error:
            failure = errors.VirtualInterfacePlugException(
                f"The network reports for instance {self.instance.uuid} on {dest}: {error}"
            )
        else:
            return
        if conf.vif_plugging_is_fatal:
            raise failure
        LOG.warning("Instance %s migrates all the same: %s", self.instance.uuid, failure)

    def _begin_leaving(self) -> None:
        """Raises LiveMigrationAborted when somebody has aborted it while it prepared."""
        departures = self.host.departures
        if not departures.is_stopped(self.departure):
            set_migration_status(self.host, self.migration, MigrationStatus.RUNNING)
            if departures.begin_leaving(self.departure):
                return
        raise errors.LiveMigrationAborted("it was aborted before it left")

    # While it leaves

    def _let_go(self) -> None:
        spec = self._spec()
        self._has_begun = True
        self.host.driver.live_migrate(self.context, spec, self.order.dest, self.data, self._note_progress)

    def _note_progress(self, progress: LiveMigrationProgress) -> None:
        """Now and then write down how far it is; what cannot be written is told next time."""
        migration, now = self.migration, time.monotonic()
        is_news = progress.is_post_copy and migration.status != MigrationStatus.RUNNING_POST_COPY
        if now - self._progress_at < PROGRESS_SECONDS and not is_news:
            return
        self._progress_at = now
        for kind in ("memory", "disk"):
            for part in ("total", "processed", "remaining"):
                setattr(migration, f"{kind}_{part}", getattr(progress, f"{kind}_{part}"))
        if is_news:
            # The guest runs there from now on.
            activate_ports(self.host, self.context, self.instance, self.order.dest)
            migration.status = str(MigrationStatus.RUNNING_POST_COPY)
        self.instance.progress = progress.percent
        shared.attempt("its progress is not recorded", self.instance.uuid, migration.save)
        shared.attempt("its progress is not recorded", self.instance.uuid, self._save_progress)

    def _save_progress(self) -> None:
        """Save the instance without its new zone, which the conductor has set for where it is not yet."""
        zone = self.instance.availability_zone
        self.instance.obj_reset_changes(["availability_zone"])
        try:
            self.instance.save()
        finally:
            self.instance.availability_zone = zone

    # When it did not work

    def _end_aborted(self) -> None:
        LOG.info("Live migration of instance %s to %s was aborted", self.instance.uuid, self.order.dest)
        self._take_back(MigrationStatus.CANCELLED)
        if self.host.departures.is_stopped(self.departure):
            # Who aborted it left the end of it to us.
            announce(self.host, self.context, self.instance, "live_migration_abort", "end")

    def _fail(self, error: Exception) -> None:
        LOG.error(
            "Live migration of instance %s to %s failed %s, the guest stays: %s",
            self.instance.uuid,
            self.order.dest,
            "on its way" if self._has_begun else "in preparation",
            error,
            exc_info=error,
        )
        record_fault(self.host, self.context, self.instance, error)
        self._take_back(MigrationStatus.FAILED)

    def _take_back(self, status: MigrationStatus) -> None:
        try:
            rollback = Rollback(
                self.host, self.context, self.instance, self.migration, self.data, self._spec(), self.bdms
            )
            rollback.run(status, is_ready=self._is_ready)
        except Exception:
            if overtaken.settle(self.host, self.context, self.instance, self.migration, status=status):
                return
            LOG.exception("Instance %s could not be brought back from its migration", self.instance.uuid)
            shared.try_set_status(self.host, self.migration, MigrationStatus.ERROR)

    def _lose(self, error: Exception) -> None:
        """Nobody knows where the guest is: nothing is given back, an operator must look."""
        LOG.error(
            "Live migration of instance %s to %s: the hypervisor does not answer, so the guest may be on "
            "either host; look for it, then reset the state of the instance: %s",
            self.instance.uuid,
            self.order.dest,
            error,
        )
        record_fault(self.host, self.context, self.instance, error)
        end_in_error(self.host, self.instance, self.migration)

    # When the guest is there

    def _finish(self, started: float) -> None:
        handover = Handover(
            self.host,
            self.context,
            self.instance,
            self.migration,
            self._spec(),
            self.data,
            self.bdms,
            self.order.block_migration,
        )
        if handover.run():
            LOG.info(
                "Instance %s has moved to %s in %.2f s",
                self.instance.uuid,
                self.order.dest,
                time.monotonic() - started,
            )
