"""Reads the configuration files that a stock nova-compute would read, and refuses mistakes in them."""

import logging
from collections.abc import Sequence

from oslo_config import cfg
from oslo_log import log

from computed import __version__
from computed.conf import check, mdev, neutron_physnet, register_all
from computed.errors import ConfigError
from computed.lib.argv import CONFIG_NAMES, option_values

LOG = logging.getLogger(__name__)

# The same changes to library defaults that a stock agent makes (config.json, nova_changes_library_defaults).
_QUIETER_LOGGERS = ["glanceclient=WARN", "oslo.privsep.daemon=INFO"]


# Its own name for the value, because `alone` is the section.
_RUN_ALONE = cfg.BoolOpt(
    "alone",
    dest="run_alone",
    default=False,
    help="Run without a cloud: conductor, scheduler and placement inside this process, see section [alone].",
)


def load(argv: Sequence[str], conf: cfg.ConfigOpts) -> None:
    """Fill ``conf`` from the command line ``argv`` (without the program's name) and the files.

    Without ``--config-file`` or ``--config-dir`` the files are those that nova-compute finds, then our own
    (/etc/computed/computed.conf), which win. Raises ConfigError that names every wrong option with its
    value and file; exits through SystemExit where the command line itself cannot be read.
    """
    register_all(conf)
    conf.register_cli_opt(_RUN_ALONE)
    _register_logging(conf)
    is_read = _read(argv, conf)
    files, directories = _sources(argv)
    try:
        settings = list(check.read_settings(check.all_files(files, directories)))
    except (cfg.ParseError, OSError) as error:
        raise ConfigError(str(error)) from error
    if is_read:
        _register_dynamic(conf)
    findings = check.check(conf, settings, is_read=is_read)
    # With a wrong value anywhere the file is refused, so unknown_options itself can be read after that.
    if findings.errors or (findings.unknown and conf.unknown_options == "refuse"):
        raise ConfigError("\n".join(findings.unknown + findings.errors))
    if not is_read:
        raise ConfigError("the command line sets a wrong value")
    for unknown in findings.unknown:
        LOG.warning("%s; ignored as [DEFAULT] unknown_options says", unknown)
    for retired in findings.retired:
        LOG.warning("%s has had no effect for several releases and can go", retired)
    for unbuilt in findings.unbuilt:
        LOG.warning("%s", unbuilt)


def _sources(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files and directories to read: those of the command line, else those found in the usual places.

    As with every oslo.config service, naming files does not keep it from looking for directories.
    """
    files, directories = list(option_values(argv, "--config-file")), list(option_values(argv, "--config-dir"))
    found_files, found_directories = [], []
    for project, prog in CONFIG_NAMES:
        found_files += cfg.find_config_files(project=project, prog=prog)
        found_directories += cfg.find_config_dirs(project=project, prog=prog)
    return files or found_files, directories or found_directories


def _read(argv: Sequence[str], conf: cfg.ConfigOpts) -> bool:
    """Let oslo.config read everything; False when it met a wrong value, which it reports without the file."""
    files, directories = _sources(argv)
    try:
        conf(
            list(argv),
            project="nova",
            prog="computed",
            version=__version__,
            default_config_files=files,
            default_config_dirs=directories,
        )
    except SystemExit as stop:
        # oslo.config exits with 1 for a wrong value in a file of an option that the command line has too.
        if stop.code != 1:
            raise
        return False
    except cfg.RequiredOptError as error:
        raise ConfigError(f"[{error.group or 'DEFAULT'}] {error.opt_name} must be set") from error
    except (cfg.Error, ValueError, OSError) as error:
        raise ConfigError(str(error)) from error
    return True


def _register_logging(conf: cfg.ConfigOpts) -> None:
    log.register_options(conf)
    log.set_defaults(default_log_levels=log.get_default_log_levels() + _QUIETER_LOGGERS)


def _register_dynamic(conf: cfg.ConfigOpts) -> None:
    """Make the sections known whose names other options give."""
    try:
        mdev_types, physnets = conf.devices.enabled_mdev_types, conf.neutron.physnets
    except (ValueError, cfg.Error):
        # A wrong value here is reported with its file like every other.
        return
    for mdev_type in mdev_types:
        conf.register_opts(mdev.options(mdev_type), group=mdev.group_name(mdev_type))
    for physnet in physnets:
        conf.register_opts(neutron_physnet.OPTS, group=neutron_physnet.group_name(physnet))
