"""Values that do not parse or lie outside what is accepted: identifiers, addresses, settings, files."""

from computed.errors.base import Invalid, NotFound, NovaException


class InvalidInput(Invalid):
    msg_fmt = "Input refused: %(reason)s"


class InvalidRequest(Invalid):
    msg_fmt = "The request makes no sense."


class InvalidID(Invalid):
    msg_fmt = "%(id)s is no usable id."


class InvalidUUID(Invalid):
    msg_fmt = "%(uuid)s is not a UUID."


class InvalidName(Invalid):
    msg_fmt = "Name refused: %(reason)s"


class InvalidHostname(Invalid):
    msg_fmt = "%(hostname)s cannot serve as a host name."


class InvalidToken(Invalid):
    msg_fmt = "Token %(token)s is not valid."


class TokenInUse(Invalid):
    msg_fmt = "This token has been issued before."


class InvalidStrTime(Invalid):
    msg_fmt = "Time value refused: %(reason)s"


class InvalidSortKey(Invalid):
    msg_fmt = "Sorting by that key is not possible."


class InvalidParameterValue(Invalid):
    msg_fmt = "Parameter refused: %(err)s"


class InvalidContentType(Invalid):
    msg_fmt = "Content type %(content_type)s is not accepted."


class InvalidMetadata(Invalid):
    msg_fmt = "Metadata refused: %(reason)s"


class InvalidCidr(Invalid):
    msg_fmt = "%(cidr)s is not a network in CIDR notation."


class InvalidIpAddressError(Invalid):
    msg_fmt = "%(address)s is not an IP address."


class InvalidIpProtocol(Invalid):
    msg_fmt = "IP protocol %(protocol)s is not known."


class InvalidPortRange(Invalid):
    msg_fmt = "Ports %(from_port)s to %(to_port)s are no usable range: %(msg)s"


class InvalidArchitectureName(Invalid):
    msg_fmt = "No CPU architecture is called %(arch)s."


class InvalidVirtualMachineMode(Invalid):
    msg_fmt = "No virtual machine mode is called %(vmmode)s."


class InvalidHypervisorType(Invalid):
    msg_fmt = "The hypervisor type is not known."


class InvalidHypervisorVirtType(Invalid):
    msg_fmt = "No hypervisor virtualization type is called %(hv_type)s."


class InvalidAttribute(Invalid):
    msg_fmt = "Attribute %(attr)s is not accepted here."


class InvalidConfiguration(Invalid):
    msg_fmt = "The configuration does not fit together."


class InvalidNodeConfiguration(NovaException):
    msg_fmt = "This host's identity does not fit its records: %(reason)s"


class Base64Exception(NovaException):
    msg_fmt = "The content for file %(path)s is not valid base64."


class MalformedRequestBody(NovaException):
    msg_fmt = "The request body cannot be read: %(reason)s"


class ValidationError(Invalid):
    msg_fmt = "%(detail)s"


class InstanceUserDataMalformed(NovaException):
    msg_fmt = "The user data is not valid base64."


class FileNotFound(NotFound):
    msg_fmt = "There is no file %(file_path)s."


class ConfigNotFound(NovaException):
    msg_fmt = "There is no configuration file %(path)s."


class ClassNotFound(NotFound):
    msg_fmt = "Class %(class_name)s does not exist: %(exception)s"


class InvalidAPIVersionString(Invalid):
    msg_fmt = "%(version)s is not an API version."


class InvalidGlobalAPIVersion(Invalid):
    msg_fmt = "API version %(req_ver)s was asked for; %(min_ver)s to %(max_ver)s are served."


class VersionNotFoundForAPIMethod(Invalid):
    msg_fmt = "The method does not exist in API version %(version)s."


class UnsupportedRPCVersion(Invalid):
    msg_fmt = "%(api)s needs at least RPC version %(required)s."


class InvalidKeypair(Invalid):
    msg_fmt = "Key pair refused: %(reason)s"


class KeyPairExists(NovaException):
    msg_fmt = "There is a key pair %(key_name)s already."


class KeypairNotFound(NotFound):
    msg_fmt = "User %(user_id)s has no key pair %(name)s."


class UnsupportedPolicyException(Invalid):
    msg_fmt = "The server group policy cannot be honoured: %(reason)s"
