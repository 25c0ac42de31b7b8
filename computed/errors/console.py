"""Consoles, their tokens and the proxies in front of them."""

from computed.errors.base import Invalid, NotFound, NovaException


class ConsoleNotAvailable(NotFound):
    msg_fmt = "The instance's console cannot be reached."


class ConsoleTypeInvalid(Invalid):
    msg_fmt = "No console type is called %(console_type)s."


class ConsoleTypeUnavailable(Invalid):
    msg_fmt = "Console type %(console_type)s is not available here."


class ConsoleLogOutputException(NovaException):
    msg_fmt = "The console log of instance %(instance_id)s cannot be read: %(reason)s"


class ConsolePortRangeExhausted(NovaException):
    msg_fmt = "No console port is left between %(min_port)s and %(max_port)s."


class SocketPortInUseException(NovaException):
    msg_fmt = "Port %(port)s on %(host)s is in use: %(error)s"


class SocketPortRangeExhaustedException(NovaException):
    msg_fmt = "No port is left on %(host)s."


class ImageSerialPortNumberInvalid(Invalid):
    msg_fmt = "%(num_ports)s is no number of serial ports."


class ImageSerialPortNumberExceedFlavorValue(Invalid):
    msg_fmt = "The image asks for more serial ports than the flavor allows."


class SerialPortNumberLimitExceeded(Invalid):
    msg_fmt = "At most %(allowed)s serial ports exist under %(virt_type)s."


class SecurityProxyNegotiationFailed(NovaException):
    msg_fmt = "The console's security type was not agreed on: %(reason)s"


class RFBAuthHandshakeFailed(NovaException):
    msg_fmt = "The VNC server refused authentication: %(reason)s"


class RFBAuthNoAvailableScheme(NovaException):
    msg_fmt = "VNC authentication %(desired_types)s is wanted, the server offers %(allowed_types)s."
