"""Section [DEFAULT], grouped by what its options are about."""

from computed.conf.default import host, instances, periods, resources, service

GROUP = "DEFAULT"
OPTS = [*host.OPTS, *service.OPTS, *instances.OPTS, *periods.OPTS, *resources.OPTS]
