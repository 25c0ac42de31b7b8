"""Lets oslo.messaging rebuild the conductor's failures as our classes, under the module name they bear."""

import sys
from types import ModuleType

from computed.errors.base import WIRE_MODULE, NovaException, lookup, wire_classes

_REMOTE_SUFFIX = "_Remote"


def install_remote_module() -> None:
    """Put a module ``nova.exception`` made of our classes into ``sys.modules``.

    oslo.messaging rebuilds a remote failure by importing the module that the payload names, if it is
    among ``allowed_remote_exmods``, and taking the class from it. A real nova that has been imported
    into this process is left alone. Calling this again changes nothing.
    """
    parent_name, _, leaf_name = WIRE_MODULE.rpartition(".")
    if WIRE_MODULE in sys.modules:
        return
    parent = sys.modules.get(parent_name)
    if parent is None:
        parent = ModuleType(parent_name, "Stands in for nova: only its exception names exist here.")
        # An empty search path makes it a package in which nothing else can be found.
        parent.__path__ = []
        sys.modules[parent_name] = parent
    module = ModuleType(WIRE_MODULE, "The error classes of computed, under the name other services use.")
    module.__dict__.update(wire_classes())
    setattr(parent, leaf_name, module)
    sys.modules[WIRE_MODULE] = module


def without_remote_traceback(error: NovaException) -> NovaException:
    """`error`, or its like of the plain class when oslo.messaging rebuilt it from another service's failure.

    What it rebuilds bears the other side's traceback in its text, which belongs into no log or fault of ours.
    """
    name = type(error).__name__
    plain = lookup(name.removesuffix(_REMOTE_SUFFIX)) if name.endswith(_REMOTE_SUFFIX) else None
    return plain(error.format_message(), **error.kwargs) if plain else error
