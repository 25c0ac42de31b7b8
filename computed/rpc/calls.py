"""The map of the door: every RPC method of a compute, one row each (contract: compute_rpc.json)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Flag, auto
from typing import Final

from computed import errors
from computed.operations import (
    build,
    console,
    cross_cell_resize,
    destroy,
    diagnostics,
    events,
    host,
    image_cache,
    interfaces,
    live_migration,
    password,
    pause,
    power,
    reboot,
    rebuild,
    rescue,
    resize,
    shares,
    shelve,
    snapshot,
    soft_delete,
    unshelve,
    volume_snapshots,
    volume_swap,
    volumes,
)
from computed.rpc.call import Arguments, Call, Operation, parse_arguments


class Around(Flag):
    """Which guards stand around an operation; their order is fixed in rpc/guards.py."""

    NONE = 0
    NOTIFY = auto()
    FAULT = auto()
    REVERT = auto()
    EVENT = auto()
    MIGRATION = auto()
    IMAGE = auto()
    OWN = auto()
    """Not around but before it: the instance must live on this host."""


# Each takes in what stands around it, as nearly every row has it: REVERT also records events, and so on.
NONE, NOTIFY, OWN = Around.NONE, Around.NOTIFY, Around.OWN
FAULT = NOTIFY | Around.FAULT
EVENT = FAULT | Around.EVENT
REVERT = EVENT | Around.REVERT
MIGRATION, IMAGE = Around.MIGRATION, Around.IMAGE

Errors = tuple[type[Exception], ...]


def instance_lock(arguments: Arguments) -> str:
    """One verb at a time on one instance."""
    return str(arguments["instance"].uuid)


def interface_lock(arguments: Arguments) -> str:
    """Interfaces of one instance may change at the same time, one port may not."""
    return f"interface-{arguments['instance'].uuid}-{arguments['port_id']}"


def _row(
    name: str,
    arguments: str,
    guards: Around,
    operation: Operation,
    *,
    expected: Errors = (),
    lock: bool = False,
) -> Call:
    return Call(
        name=name,
        arguments=parse_arguments(arguments),
        operation=operation,
        event=_EVENT_NAMES.get(name, f"compute_{name}") if Around.EVENT in guards else None,
        notify_exception=NOTIFY in guards,
        records_fault=Around.FAULT in guards,
        reverts_task_state=Around.REVERT in guards,
        errors_out_migration=MIGRATION in guards,
        deletes_image_on_error=IMAGE in guards,
        own_instance=OWN in guards,
        background=name in _BACKGROUND,
        lock=_LOCKS.get(name, instance_lock) if lock else None,
        expected_errors=expected,
    )


# The event of a build bears the name of stock's inner worker function: the API shows it.
_EVENT_NAMES: Final = {"build_and_run_instance": "compute__do_build_and_run_instance"}
_LOCKS: Final = {"attach_interface": interface_lock, "detach_interface": interface_lock}
# Hundreds of these may arrive at once and wait for networks and images: power verbs must not queue behind.
_BACKGROUND: Final = frozenset(
    {"build_and_run_instance", "rebuild_instance", "snapshot_instance", "prep_resize"}
)

_CONSOLE: Final[Errors] = (
    errors.ConsoleTypeInvalid,
    errors.InstanceNotReady,
    errors.InstanceNotFound,
    errors.ConsoleTypeUnavailable,
    NotImplementedError,
)
_SERIAL: Final[Errors] = (
    errors.SocketPortRangeExhaustedException,
    errors.ImageSerialPortNumberInvalid,
    errors.ImageSerialPortNumberExceedFlavorValue,
)
_QUIESCE: Final[Errors] = (
    errors.InstanceQuiesceNotSupported,
    errors.QemuGuestAgentNotEnabled,
    errors.NovaException,
    NotImplementedError,
)
_DRIVER_CANNOT: Final[Errors] = (NotImplementedError,)
_CRASH_DUMP: Final[Errors] = (
    NotImplementedError,
    errors.TriggerCrashDumpNotSupported,
    errors.InstanceNotRunning,
)
_CONSOLE_OUTPUT: Final[Errors] = (NotImplementedError, errors.ConsoleNotAvailable, errors.InstanceNotFound)
_VALIDATE_PORT: Final[Errors] = (errors.ConsoleTypeInvalid, errors.InstanceNotReady, errors.InstanceNotFound)
_REBUILD: Final[Errors] = (errors.PreserveEphemeralNotSupported, errors.BuildAbortException)
_VTPM: Final[Errors] = (errors.VTPMSecretForbidden,)

_BUILD_ARGUMENTS: Final = (
    "instance image request_spec filter_properties accel_uuids admin_password=None injected_files=None "
    "requested_networks=None security_groups=None block_device_mapping=None node=None limits=None "
    "host_list=None"
)
_REBUILD_ARGUMENTS: Final = (
    "instance orig_image_ref image_ref injected_files new_pass orig_sys_metadata bdms recreate "
    "on_shared_storage preserve_ephemeral migration scheduled_node limits request_spec accel_uuids "
    "reimage_boot_volume=None target_state=None"
)
_PREP_RESIZE_ARGUMENTS: Final = (
    "image instance flavor request_spec filter_properties node clean_shutdown migration host_list"
)
_CONSOLE_ARGUMENTS: Final = "console_type instance"
_LIVE_CHECK_ARGUMENTS: Final = "instance block_migration disk_over_commit migration limits"

_ROWS: Final = (
    # Life
    _row("build_and_run_instance", _BUILD_ARGUMENTS, REVERT, build.build_and_run_instance, lock=True),
    _row("terminate_instance", "instance bdms", REVERT | OWN, destroy.terminate_instance, lock=True),
    _row("soft_delete_instance", "instance", REVERT | OWN, soft_delete.soft_delete_instance, lock=True),
    _row("restore_instance", "instance", REVERT | OWN, soft_delete.restore_instance, lock=True),
    _row("rebuild_instance", _REBUILD_ARGUMENTS, REVERT | OWN, rebuild.rebuild_instance, expected=_REBUILD),
    # Power
    _row("start_instance", "instance", REVERT | OWN, power.start_instance, lock=True, expected=_VTPM),
    _row("stop_instance", "instance clean_shutdown", REVERT | OWN, power.stop_instance, lock=True),
    _row(
        "reboot_instance",
        "instance block_device_info reboot_type",
        REVERT | OWN,
        reboot.reboot_instance,
        lock=True,
        expected=_VTPM,
    ),
    _row("pause_instance", "instance", REVERT | OWN, pause.pause_instance),
    _row("unpause_instance", "instance", REVERT | OWN, pause.unpause_instance),
    _row("suspend_instance", "instance", REVERT | OWN, pause.suspend_instance),
    _row("resume_instance", "instance", REVERT | OWN, pause.resume_instance),
    _row(
        "rescue_instance",
        "instance rescue_password rescue_image_ref clean_shutdown",
        REVERT | OWN,
        rescue.rescue_instance,
    ),
    _row("unrescue_instance", "instance", REVERT | OWN, rescue.unrescue_instance),
    _row(
        "trigger_crash_dump",
        "instance",
        EVENT | OWN,
        diagnostics.trigger_crash_dump,
        expected=_CRASH_DUMP,
    ),
    _row("set_admin_password", "instance new_pass", REVERT | OWN, password.set_admin_password),
    # Looking in
    _row(
        "get_console_output",
        "instance tail_length",
        FAULT | OWN,
        console.get_console_output,
        expected=_CONSOLE_OUTPUT,
    ),
    _row("get_vnc_console", _CONSOLE_ARGUMENTS, FAULT | OWN, console.get_vnc_console, expected=_CONSOLE),
    _row("get_spice_console", _CONSOLE_ARGUMENTS, FAULT | OWN, console.get_spice_console, expected=_CONSOLE),
    _row("get_rdp_console", _CONSOLE_ARGUMENTS, FAULT | OWN, console.get_rdp_console, expected=_CONSOLE),
    _row("get_mks_console", _CONSOLE_ARGUMENTS, FAULT | OWN, console.get_mks_console, expected=_CONSOLE),
    _row(
        "get_serial_console",
        _CONSOLE_ARGUMENTS,
        FAULT | OWN,
        console.get_serial_console,
        expected=_CONSOLE + _SERIAL,
    ),
    _row(
        "validate_console_port",
        "instance port console_type",
        FAULT | OWN,
        console.validate_console_port,
        expected=_VALIDATE_PORT,
    ),
    _row("get_diagnostics", "instance", FAULT | OWN, diagnostics.get_diagnostics),
    _row("get_instance_diagnostics", "instance", FAULT | OWN, diagnostics.get_instance_diagnostics),
    # Images
    _row("snapshot_instance", "image_id instance", REVERT | IMAGE | OWN, snapshot.snapshot_instance),
    _row(
        "backup_instance",
        "image_id instance backup_type rotation",
        REVERT | OWN,
        snapshot.backup_instance,
    ),
    _row("quiesce_instance", "instance", NOTIFY | OWN, snapshot.quiesce_instance, expected=_QUIESCE),
    _row(
        "unquiesce_instance",
        "instance mapping=None",
        NOTIFY | OWN,
        snapshot.unquiesce_instance,
        expected=_QUIESCE,
    ),
    _row("cache_images", "image_ids", NONE, image_cache.cache_images),
    # Networks
    _row("external_instance_event", "instances events", NOTIFY, events.external_instance_event),
    _row(
        "attach_interface",
        "instance network_id port_id requested_ip tag",
        EVENT | OWN,
        interfaces.attach_interface,
        lock=True,
        expected=(errors.Invalid,),
    ),
    _row("detach_interface", "instance port_id", EVENT | OWN, interfaces.detach_interface, lock=True),
    _row("inject_network_info", "instance", Around.FAULT | OWN, interfaces.inject_network_info),
    _row("add_fixed_ip_to_instance", "network_id instance", FAULT | OWN, interfaces.add_fixed_ip_to_instance),
    _row(
        "remove_fixed_ip_from_instance",
        "address instance",
        FAULT | OWN,
        interfaces.remove_fixed_ip_from_instance,
    ),
    # Volumes and shares
    _row("attach_volume", "instance bdm", EVENT | OWN, volumes.attach_volume, lock=True),
    _row("detach_volume", "volume_id instance attachment_id", EVENT | OWN, volumes.detach_volume, lock=True),
    _row(
        "swap_volume",
        "old_volume_id new_volume_id instance new_attachment_id",
        EVENT | OWN,
        volume_swap.swap_volume,
        lock=True,
    ),
    _row(
        "reserve_block_device_name",
        "instance device volume_id disk_bus device_type tag multiattach",
        FAULT | Around.REVERT | OWN,
        volumes.reserve_block_device_name,
        lock=True,
    ),
    _row(
        "remove_volume_connection",
        "volume_id instance delete_attachment=False",
        NOTIFY,
        volumes.remove_volume_connection,
    ),
    _row(
        "volume_snapshot_create",
        "instance volume_id create_info",
        NOTIFY | OWN,
        volume_snapshots.volume_snapshot_create,
        expected=_DRIVER_CANNOT,
    ),
    _row(
        "volume_snapshot_delete",
        "instance volume_id snapshot_id delete_info",
        NOTIFY | OWN,
        volume_snapshots.volume_snapshot_delete,
        expected=_DRIVER_CANNOT,
    ),
    _row(
        "allow_share",
        "instance share_mapping",
        EVENT | OWN,
        shares.allow_share,
        lock=True,
        expected=_DRIVER_CANNOT,
    ),
    _row(
        "deny_share",
        "instance share_mapping",
        EVENT | OWN,
        shares.deny_share,
        lock=True,
        expected=_DRIVER_CANNOT,
    ),
    # Resize and cold migration
    _row("prep_resize", _PREP_RESIZE_ARGUMENTS, REVERT, resize.prep_resize),
    _row(
        "resize_instance",
        "instance image migration flavor clean_shutdown request_spec",
        REVERT | OWN,
        resize.resize_instance,
        lock=True,
    ),
    _row(
        "finish_resize",
        "disk_info image instance migration request_spec",
        REVERT | MIGRATION,
        resize.finish_resize,
        lock=True,
    ),
    _row("confirm_resize", "instance migration", EVENT | MIGRATION, resize.confirm_resize, lock=True),
    _row(
        "revert_resize",
        "instance migration request_spec",
        REVERT | MIGRATION,
        resize.revert_resize,
        lock=True,
    ),
    _row(
        "finish_revert_resize",
        "instance migration request_spec",
        REVERT | MIGRATION,
        resize.finish_revert_resize,
        lock=True,
    ),
    _row("drop_move_claim_at_destination", "instance", FAULT, live_migration.drop_move_claim_at_destination),
    # Resize across cells
    _row(
        "prep_snapshot_based_resize_at_dest",
        "instance flavor nodename migration limits",
        EVENT,
        cross_cell_resize.prep_snapshot_based_resize_at_dest,
        expected=(errors.MigrationPreCheckError,),
    ),
    _row(
        "prep_snapshot_based_resize_at_source",
        "instance migration snapshot_id=None",
        REVERT | MIGRATION | OWN,
        cross_cell_resize.prep_snapshot_based_resize_at_source,
        expected=(errors.InstancePowerOffFailure,),
    ),
    _row(
        "finish_snapshot_based_resize_at_dest",
        "instance migration snapshot_id",
        REVERT | MIGRATION,
        cross_cell_resize.finish_snapshot_based_resize_at_dest,
    ),
    _row(
        "confirm_snapshot_based_resize_at_source",
        "instance migration",
        EVENT | MIGRATION,
        cross_cell_resize.confirm_snapshot_based_resize_at_source,
        lock=True,
    ),
    _row(
        "revert_snapshot_based_resize_at_dest",
        "instance migration",
        REVERT | MIGRATION,
        cross_cell_resize.revert_snapshot_based_resize_at_dest,
        lock=True,
    ),
    _row(
        "finish_revert_snapshot_based_resize_at_source",
        "instance migration",
        REVERT | MIGRATION,
        cross_cell_resize.finish_revert_snapshot_based_resize_at_source,
        lock=True,
    ),
    # Live migration
    _row(
        "check_can_live_migrate_destination",
        _LIVE_CHECK_ARGUMENTS,
        EVENT,
        live_migration.check_can_live_migrate_destination,
    ),
    _row(
        "check_can_live_migrate_source",
        "instance dest_check_data",
        EVENT | OWN,
        live_migration.check_can_live_migrate_source,
    ),
    _row(
        "check_instance_shared_storage",
        "data",
        NOTIFY,
        live_migration.check_instance_shared_storage,
    ),
    _row(
        "pre_live_migration",
        "instance disk migrate_data",
        EVENT,
        live_migration.pre_live_migration,
    ),
    _row(
        "live_migration",
        "dest instance block_migration migration migrate_data",
        EVENT | MIGRATION,
        live_migration.live_migration,
    ),
    _row(
        "live_migration_force_complete",
        "instance",
        EVENT,
        live_migration.live_migration_force_complete,
    ),
    _row(
        "live_migration_abort",
        "instance migration_id",
        EVENT | OWN,
        live_migration.live_migration_abort,
    ),
    _row(
        "post_live_migration_at_destination",
        "instance block_migration",
        EVENT,
        live_migration.post_live_migration_at_destination,
    ),
    _row(
        "rollback_live_migration_at_destination",
        "instance destroy_disks migrate_data",
        EVENT,
        live_migration.rollback_live_migration_at_destination,
    ),
    # Shelving
    _row(
        "shelve_instance",
        "instance image_id clean_shutdown accel_uuids",
        REVERT | OWN,
        shelve.shelve_instance,
        lock=True,
    ),
    _row(
        "shelve_offload_instance",
        "instance clean_shutdown accel_uuids",
        REVERT | OWN,
        shelve.shelve_offload_instance,
        lock=True,
    ),
    _row(
        "unshelve_instance",
        "instance image filter_properties node request_spec accel_uuids",
        REVERT,
        unshelve.unshelve_instance,
        lock=True,
    ),
    # The host
    _row("get_host_uptime", "", NOTIFY, host.get_host_uptime),
    _row("set_host_enabled", "enabled", NOTIFY, host.set_host_enabled),
    _row("host_power_action", "action", NOTIFY, host.host_power_action),
    _row("host_maintenance_mode", "host mode", NOTIFY, host.host_maintenance_mode),
)

CALLS: Final[Mapping[str, Call]] = {row.name: row for row in _ROWS}
"""Every method by name."""

_OWN_ROWS: Final = (
    _row("power_update", "instance target_power_state", REVERT | OWN, power.power_update, lock=True),
)

OWN_CALLS: Final[Mapping[str, Call]] = {row.name: row for row in _OWN_ROWS}
"""What only this compute itself may call, with the same guards: parts of methods that the API shows as events
of their own (contract: compute_rpc.json, internal_functions_recording_instance_events)."""
