"""The hypervisor, its machine types, devices and capabilities."""

from computed.errors.base import Forbidden, Invalid, NotSupported, NovaException


class HypervisorUnavailable(NovaException):
    msg_fmt = "The hypervisor cannot be reached."


class HypervisorTooOld(Invalid):
    msg_fmt = "The hypervisor is older than %(version)s."


class VirtDriverNotReady(NovaException):
    msg_fmt = "The virtualization driver is not ready yet."


class InvalidMachineType(Invalid):
    msg_fmt = "Machine type %(mtype)s of image %(image_name)s (%(image_id)s) is refused: %(reason)s"


class InvalidMachineTypeUpdate(Invalid):
    msg_fmt = "Machine type %(existing_machine_type)s cannot become %(machine_type)s."


class UnsupportedMachineType(Invalid):
    msg_fmt = "Machine type %(machine_type)s is not supported."


class UnsupportedHardware(Invalid):
    msg_fmt = "Device model %(model)s does not exist under %(virt)s."


class UnsupportedVirtType(Invalid):
    msg_fmt = "Virtualization type %(virt)s is not supported here."


class UnsupportedHostCPUControlPolicy(Invalid):
    msg_fmt = "This host's kernel cannot control CPU time."


class InvalidWatchdogAction(Invalid):
    msg_fmt = "No watchdog action is called %(action)s."


class InvalidVideoMode(Invalid):
    msg_fmt = "No video model is called %(model)s."


class RequestedVRamTooHigh(NovaException):
    msg_fmt = "%(req_vram)s MiB of video memory are asked for, %(max_vram)s MiB are allowed."


class RngDeviceNotExist(Invalid):
    msg_fmt = "There is no random number device %(path)s."


class InvalidVIOMMUMachineType(Invalid):
    msg_fmt = "A virtual IOMMU does not exist for machine type %(mtype)s on %(arch)s."


class InvalidVIOMMUArchitecture(Invalid):
    msg_fmt = "A virtual IOMMU does not exist on %(arch)s."


class InvalidLibvirtMdevConfig(NovaException):
    msg_fmt = "The mediated device settings are not acceptable: %(reason)s"


class UEFINotSupported(Invalid):
    msg_fmt = "This host cannot boot guests through UEFI."


class SecureBootNotSupported(Invalid):
    msg_fmt = "This host cannot boot guests securely."


class FirmwareSMMNotSupported(Invalid):
    msg_fmt = "This host's firmware lacks system management mode."


class StatelessFirmwareRequired(Invalid):
    msg_fmt = "%(feature)s needs stateless firmware."


class VTPMOldCompute(Invalid):
    msg_fmt = "A compute is too old for this virtual TPM."


class VTPMSecretForbidden(Forbidden):
    msg_fmt = "The secret of the virtual TPM may not be read."


class VTPMSecretNotFound(NovaException):
    msg_fmt = "There is no virtual TPM secret for instance %(instance_uuid)s."


class OperationNotSupportedForVTPM(NotSupported):
    msg_fmt = "Instance %(instance_uuid)s has a virtual TPM, which does not allow %(operation)s."


class OperationNotSupportedForVDPAInterface(NotSupported):
    msg_fmt = "An instance with a vDPA interface does not allow %(operation)s."


class OperationNotSupportedForMemEncryption(NotSupported):
    msg_fmt = "Instance %(instance_uuid)s has encrypted memory, which does not allow %(operation)s."


class PMEMNamespaceConfigInvalid(NovaException):
    msg_fmt = "The persistent memory settings are not acceptable: %(reason)s"


class GetPMEMNamespacesFailed(NovaException):
    msg_fmt = "The persistent memory namespaces were not read: %(reason)s"


class VPMEMCleanupFailed(NovaException):
    msg_fmt = "Persistent memory %(dev)s was not wiped: %(error)s"


class StorageError(NovaException):
    msg_fmt = "Storage failed: %(reason)s"


class KeyManagerError(NovaException):
    msg_fmt = "The key manager failed: %(reason)s"


class EncryptionFailure(NovaException):
    msg_fmt = "Encryption failed: %(reason)s"
