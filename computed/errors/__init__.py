"""Every error of the project: the classes that cross the wire, grouped by noun, and our own."""

from computed.errors.accelerator import *
from computed.errors.base import *
from computed.errors.base import lookup, wire_classes
from computed.errors.console import *
from computed.errors.cpu import *
from computed.errors.flavor import *
from computed.errors.hypervisor import *
from computed.errors.image import *
from computed.errors.instance import *
from computed.errors.local import *
from computed.errors.migration import *
from computed.errors.network import *
from computed.errors.pci import *
from computed.errors.placement import *
from computed.errors.quota import *
from computed.errors.records import *
from computed.errors.remote import install_remote_module, without_remote_traceback
from computed.errors.service import *
from computed.errors.share import *
from computed.errors.values import *
from computed.errors.volume import *
from computed.errors.wording import fault_code, fault_message
