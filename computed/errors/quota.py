"""Quotas and limits."""

from computed.errors.base import NotFound, NovaException, OverQuota


class QuotaExists(NovaException):
    msg_fmt = "Project %(project_id)s has a quota for %(resource)s already."


class QuotaNotFound(NotFound):
    msg_fmt = "No such quota."


class ProjectQuotaNotFound(QuotaNotFound):
    msg_fmt = "Project %(project_id)s has no quota of its own."


class ProjectUserQuotaNotFound(QuotaNotFound):
    msg_fmt = "User %(user_id)s in project %(project_id)s has no quota of their own."


class QuotaClassNotFound(QuotaNotFound):
    msg_fmt = "No quota class %(class_name)s."


class QuotaClassExists(NovaException):
    msg_fmt = "Quota class %(class_name)s has a limit for %(resource)s already."


class TooManyInstances(OverQuota):
    msg_fmt = "%(req)s of %(overs)s are asked for, %(used)s of %(allowed)s are in use."


class FloatingIpLimitExceeded(OverQuota):
    msg_fmt = "No more floating addresses are allowed."


class MetadataLimitExceeded(OverQuota):
    msg_fmt = "At most %(allowed)s metadata entries are allowed."


class OnsetFileLimitExceeded(OverQuota):
    msg_fmt = "The injected files exceed a limit."


class OnsetFilePathLimitExceeded(OnsetFileLimitExceeded):
    msg_fmt = "Paths of injected files are limited to %(allowed)s bytes."


class OnsetFileContentLimitExceeded(OnsetFileLimitExceeded):
    msg_fmt = "Injected files are limited to %(allowed)s bytes."


class PortLimitExceeded(OverQuota):
    msg_fmt = "No more ports are allowed."


class SecurityGroupLimitExceeded(OverQuota):
    msg_fmt = "No more security groups are allowed."


class KeypairLimitExceeded(OverQuota):
    msg_fmt = "No more key pairs are allowed."


class ServerGroupLimitExceeded(OverQuota):
    msg_fmt = "No more server groups are allowed."


class GroupMemberLimitExceeded(OverQuota):
    msg_fmt = "The server group is full."
