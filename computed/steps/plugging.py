"""Waiting for the network to say that a new guest's interfaces are plugged."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.states import ExternalEventName

if TYPE_CHECKING:
    from computed.steps.events import Expectation
    from computed.steps.host import ComputeHost
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)


class Plugging:
    """The wait for the plugs of one guest; does nothing with a driver or options that want no waiting."""

    def __init__(self, host: ComputeHost, instance: Any, expectation: Expectation | None) -> None:
        self._conf = host.conf
        self._instance = instance
        self._expectation = expectation
        self._is_over = False

    def ordered(self, spec: GuestSpec) -> GuestSpec:
        """`spec` with what the driver may call before it lets the guest run; whoever calls the driver waits
        after it all the same, for drivers that cannot hold a guest still.

        From now on those ports are waited for that are not plugged yet; none if the guest is not started:
        then nobody plugs them.
        """
        if self._expectation is None or not spec.power_on:
            self._is_over = True
            return spec
        idle = [vif["id"] for vif in spec.network_info if not vif["active"]]
        self._expectation.also((ExternalEventName.NETWORK_VIF_PLUGGED, port) for port in idle)
        return replace(spec, wait_for_plugs=self.wait) if idle else spec

    def ordered_anew(self, spec: GuestSpec, vnic_types: Container[str]) -> GuestSpec:
        """The same for a guest whose ports are unplugged and plugged again: those of these types are waited
        for, whether they are plugged now or not. The others' plugs nobody may report."""
        ports = [vif["id"] for vif in spec.network_info if vif["vnic_type"] in vnic_types]
        if self._expectation is None or not ports:
            self._is_over = True
            return spec
        self._expectation.also((ExternalEventName.NETWORK_VIF_PLUGGED, port) for port in ports)
        return replace(spec, wait_for_plugs=self.wait)

    def wait(self) -> None:
        """Wait until all are plugged, the first time it is called.

        Raises VirtualInterfaceCreateException when one is not in time or the network reports failure; with
        `vif_plugging_is_fatal` off that is only logged.
        """
        if self._expectation is None or self._is_over:
            return
        self._is_over = True
        try:
            self._expectation.wait(self._conf.vif_plugging_timeout)
        except (errors.InstanceEventTimeout, errors.NovaException) as error:
            missing = ", ".join(str(tag) for _, tag in self._expectation.missing())
            LOG.warning(
                "Instance %s: ports not plugged (%s): %s",
                self._instance.uuid,
                missing or "none missing",
                error or "no event came in time",
            )
            if self._conf.vif_plugging_is_fatal:
                raise errors.VirtualInterfaceCreateException() from error


@contextmanager
def awaiting_plugs(host: ComputeHost, instance: Any) -> Iterator[Plugging]:
    """Keep what the network says of the instance from now on: it may speak before we know the ports."""
    if not (host.driver.vif_plug_events and host.conf.vif_plugging_timeout):
        yield Plugging(host, instance, None)
        return
    with host.events.expect(instance.uuid, ()) as expectation:
        yield Plugging(host, instance, expectation)
