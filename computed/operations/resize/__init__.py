"""Resize and cold migration: the destination claims, the source sends the disks, the destination starts the
guest; then the owner confirms or reverts. One module a leg."""

from computed.operations.resize.confirm import confirm_resize
from computed.operations.resize.finish import finish_resize
from computed.operations.resize.prep import prep_resize
from computed.operations.resize.revert import finish_revert_resize, revert_resize
from computed.operations.resize.source import resize_instance

__all__ = [
    "confirm_resize",
    "finish_resize",
    "finish_revert_resize",
    "prep_resize",
    "resize_instance",
    "revert_resize",
]
