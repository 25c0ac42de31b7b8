"""Networks, ports, bindings, addresses and interfaces."""

from computed.errors.base import Forbidden, Invalid, NotFound, NotSupported, NovaException


class NetworkNotFound(NotFound):
    msg_fmt = "No network %(network_id)s."


class NetworkNotFoundForInstance(NetworkNotFound):
    msg_fmt = "Instance %(instance_id)s has no network."


class NetworkAmbiguous(Invalid):
    msg_fmt = "More than one network fits and none was named."


class NetworkRequiresSubnet(Invalid):
    msg_fmt = "Network %(network_uuid)s has no subnet."


class NetworkMissingPhysicalNetwork(NovaException):
    msg_fmt = "Network %(network_uuid)s belongs to no physical network."


class NetworksWithQoSPolicyNotSupported(Invalid):
    msg_fmt = (
        "Instance %(instance_uuid)s cannot use network %(network_id)s: its QoS policy guarantees resources."
    )


class ExternalNetworkAttachForbidden(Forbidden):
    msg_fmt = "The caller may not plug into external network %(network_uuid)s."


class UnableToAutoAllocateNetwork(Invalid):
    msg_fmt = "Project %(project_id)s got no network allocated."


class InvalidRoutedNetworkConfiguration(NovaException):
    msg_fmt = "The routed network does not fit placement: %(reason)s"


class InvalidFixedIpAndMaxCountRequest(Invalid):
    msg_fmt = "A fixed address fits one instance only: %(reason)s"


class MultiplePortsNotApplicable(Invalid):
    msg_fmt = "A port fits one instance only: %(reason)s"


class NeutronAdminCredentialConfigurationInvalid(Invalid):
    msg_fmt = "Neutron refused the credentials of section [neutron]."


class PortNotFound(NotFound):
    msg_fmt = "No port %(port_id)s."


class PortInUse(Invalid):
    msg_fmt = "Port %(port_id)s is in use."


class PortNotUsable(Invalid):
    msg_fmt = "Port %(port_id)s cannot be used by instance %(instance)s."


class PortNotUsableDNS(Invalid):
    msg_fmt = (
        "Port %(port_id)s bears the DNS name %(value)s while instance %(instance)s is called %(hostname)s."
    )


class PortRequiresFixedIP(Invalid):
    msg_fmt = "Port %(port_id)s has no fixed address."


class PortUpdateFailed(Invalid):
    msg_fmt = "Port %(port_id)s was not updated: %(reason)s"


class PortBindingFailed(Invalid):
    msg_fmt = "Neutron could not bind port %(port_id)s."


class PortBindingDeletionFailed(NovaException):
    msg_fmt = "The binding of port %(port_id)s to host %(host)s was not deleted."


class PortBindingActivationFailed(NovaException):
    msg_fmt = "The binding of port %(port_id)s to host %(host)s was not made active."


class FixedIpNotFoundForAddress(NotFound):
    msg_fmt = "No port has the address %(address)s."


class FixedIpNotFoundForInstance(NotFound):
    msg_fmt = "Instance %(instance_uuid)s does not have the address %(ip)s."


class FixedIpAlreadyInUse(NovaException):
    msg_fmt = "Address %(address)s is in use by instance %(instance_uuid)s."


class FixedIpAssociatedWithMultipleInstances(NovaException):
    msg_fmt = "Address %(address)s belongs to more than one instance."


class FixedIpInvalidOnHost(Invalid):
    msg_fmt = "The fixed address of port %(port_id)s does not exist on this host's segment."


class NoMoreFixedIps(NovaException):
    msg_fmt = "Network %(net)s has no address left."


class FloatingIpNotFound(NotFound):
    msg_fmt = "No floating address %(id)s."


class FloatingIpNotFoundForAddress(FloatingIpNotFound):
    msg_fmt = "No floating address %(address)s."


class FloatingIpMultipleFoundForAddress(NovaException):
    msg_fmt = "Floating address %(address)s exists more than once."


class FloatingIpAssociated(NovaException):
    msg_fmt = "Floating address %(address)s is in use."


class FloatingIpAssociateFailed(NovaException):
    msg_fmt = "Floating address %(address)s was not associated."


class FloatingIpBadRequest(Invalid):
    msg_fmt = "Neutron refused the floating address request."


class FloatingIpPoolNotFound(NotFound):
    msg_fmt = "No such pool of floating addresses."


class NoMoreFloatingIps(FloatingIpNotFound):
    msg_fmt = "The pool of floating addresses is empty."


class NoFloatingIpInterface(NotFound):
    msg_fmt = "There is no interface %(interface)s for floating addresses."


class SecurityGroupNotFound(NotFound):
    msg_fmt = "No security group %(security_group_id)s."


class SecurityGroupNotFoundForProject(SecurityGroupNotFound):
    msg_fmt = "Project %(project_id)s has no security group %(security_group_id)s."


class SecurityGroupExists(Invalid):
    msg_fmt = "Project %(project_id)s has a security group %(security_group_name)s already."


class SecurityGroupCannotBeApplied(Invalid):
    msg_fmt = "Security groups need port security and a subnet on the network."


class SecurityGroupConnectionStateConflict(Invalid):
    code = 409
    msg_fmt = "Security groups and the port's connection contradict each other."


class AttachInterfaceNotSupported(Invalid):
    msg_fmt = "Instance %(instance_uuid)s cannot get another interface."


class AttachInterfaceWithQoSPolicyNotSupported(AttachInterfaceNotSupported):
    msg_fmt = "Instance %(instance_uuid)s cannot get an interface whose QoS policy guarantees resources."


class AttachWithExtendedQoSPolicyNotSupported(AttachInterfaceNotSupported):
    msg_fmt = "An interface with an extended resource request cannot be attached."


class AttachSRIOVPortNotSupported(Invalid):
    msg_fmt = "SR-IOV port %(port_id)s cannot be attached to running instance %(instance_uuid)s."


class InterfaceAttachFailed(NovaException):
    msg_fmt = "No interface was attached to instance %(instance_uuid)s."


class InterfaceAttachFailedNoNetwork(Invalid):
    msg_fmt = "Project %(project_id)s has no network to attach to."


class InterfaceAttachPciClaimFailed(Invalid):
    msg_fmt = "No PCI device could be claimed for an interface of instance %(instance_uuid)s."


class InterfaceAttachResourceAllocationFailed(Invalid):
    msg_fmt = "Placement has no room for an interface of instance %(instance_uuid)s."


class InterfaceDetachFailed(Invalid):
    msg_fmt = "The interface was not detached from instance %(instance_uuid)s."


class NetworkInterfaceTaggedAttachNotSupported(Invalid):
    msg_fmt = "The driver cannot attach interfaces with a tag."


class VirtualInterfaceCreateException(NovaException):
    msg_fmt = "The virtual interfaces were not created."


class VirtualInterfaceMacAddressException(NovaException):
    msg_fmt = "No unused MAC address was found."


class VirtualInterfacePlugException(NovaException):
    msg_fmt = "A virtual interface was not plugged."


class VirtualInterfaceUnplugException(NovaException):
    msg_fmt = "A virtual interface was not unplugged: %(reason)s"


class VifDetailsMissingVhostuserSockPath(Invalid):
    msg_fmt = "Interface %(vif_id)s names no vhost-user socket."


class VifDetailsMissingMacvtapParameters(Invalid):
    msg_fmt = "Interface %(vif_id)s lacks %(missing_params)s for macvtap."


class CreateWithPortResourceRequestOldVersion(Invalid):
    msg_fmt = "Ports with a resource request need a newer API version."


class ExtendedResourceRequestOldCompute(Invalid):
    msg_fmt = "A compute is too old for extended resource requests."


class ForbiddenPortsWithAccelerator(NotSupported):
    msg_fmt = "Ports with an accelerator profile do not allow this."


class ForbiddenWithRemoteManagedPorts(NotSupported):
    msg_fmt = "Remote-managed ports do not allow this."


class InvalidNetworkNUMAAffinity(Invalid):
    msg_fmt = "The network's NUMA affinity cannot be honoured: %(reason)s"
