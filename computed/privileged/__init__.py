"""What needs root: entry points that take str, int and bytes and run in helper processes of their own.

Each context is one process with the few capabilities that its entry points need. No entry point runs a
program: a program started by root's process would get every capability back. docs/PRIVILEGES.md lists them.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from oslo_privsep import capabilities, priv_context

from computed.lib import root_helper

# Importing this package is the first sign that something will need root. Nothing is started before it does.
priv_context.init(root_helper=root_helper.words())

network_context = priv_context.PrivContext(
    __name__,
    cfg_section="computed_network_privileged",
    pypath=__name__ + ".network_context",
    capabilities=[capabilities.CAP_NET_ADMIN],
)
"""Makes and changes network devices of guests."""

files_context = priv_context.PrivContext(
    __name__,
    cfg_section="computed_files_privileged",
    pypath=__name__ + ".files_context",
    capabilities=[capabilities.CAP_CHOWN, capabilities.CAP_DAC_READ_SEARCH],
)
"""Reads, and gives to the agent, files of instances that libvirt has made its own."""

F = TypeVar("F", bound=Callable[..., Any])


def runs_in(context: Any) -> Callable[[F], F]:
    """Make a function an entry point: called anywhere, it runs in the helper process of `context`."""

    def decorate(function: F) -> F:
        return cast(F, context.entrypoint(function))

    return decorate
