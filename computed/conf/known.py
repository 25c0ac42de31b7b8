"""What a shared nova.conf may hold beyond our own options: those of libraries and of other services.

A host's file is often the file of a whole deployment. What is listed here is accepted unread, so that a
mistyped name stands out.
"""

import re


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Sections of nova's other services and of libraries that check their options themselves.
_OPEN_SECTIONS = _names(
    """
    api api_database barbican barbican_service_user cache cache_redis cells console cors crypto database
    glance_store healthcheck hyperv ironic key_manager keymgr keystone_authtoken matchmaker_redis
    nova_sys_admin os_brick os_vif_linux_bridge os_vif_noop os_vif_ovs osapi_v21 paste_deploy
    placement_database powervm profiler profiler_jaeger profiler_otlp quota rdp remote_debug ssl
    trusted_computing upgrade_checks vault vmware wsgi xenserver zvm
    """
)
_OPEN_PATTERN = re.compile(r"oslo_\w+|privsep\w*|\w+_privileged|(mdev|vgpu|neutron_physnet)_.+")

_LIBRARY_NAMES = {
    "default": _names(
        """
        api_paste_config backdoor_port backdoor_socket client_socket_timeout conn_pool_min_size
        conn_pool_ttl control_exchange executor_thread_pool_size log_options max_header_line
        rpc_conn_pool_size rpc_ping_enabled rpc_response_timeout rpc_thread_pool_size
        run_external_periodic_tasks tcp_keepidle transport_url wsgi_default_pool_size wsgi_keep_alive
        wsgi_log_format wsgi_server_debug
        """
    ),
}

# Options that nova had once. Files still carry them; they have no effect any more, there or here.
_RETIRED_NAMES = {
    "default": _names(
        """
        allow_instance_snapshots allow_same_net_traffic api_rate_limit auth_strategy
        auto_assign_floating_ip bandwidth_poll_interval baremetal_enabled_filters bindir
        block_device_creation_timeout compute_available_monitors compute_manager compute_stats_class
        compute_topic console_driver console_manager console_topic console_vmrc_error_retries
        consoleauth_manager consoleauth_topic cpu_weight_multiplier create_unique_mac_address_attempts
        db_driver debug_libvirt default_flavor default_floating_pool default_publisher_id dhcp_domain
        dhcp_lease_time dhcpbridge dhcpbridge_flagfile disk_weight_multiplier dmz_cidr dns_server
        ec2_host enable_instance_password enabled_apis enabled_ssl_apis fake_network fatal_deprecations
        fatal_exception_format_errors firewall_driver fixed_range flat_interface flat_network_bridge
        flat_network_dns floating_range force_dhcp_release force_snat_range glance_api_insecure
        glance_api_servers glance_host glance_port glance_protocol hide_server_address_states
        host_subset_size image_decryption_dir image_handlers image_service instance_dns_domain
        instance_dns_manager instance_usage_audit_host io_ops_weight_multiplier iscsi_helper
        isolated_hosts isolated_images keystone_ec2_url l3_lib ldap_dns_url libvirt_vif_driver
        linuxnet_interface_driver linuxnet_ovs_integration_bridge lock_path lockout_attempts max_age
        max_instances_per_host max_io_ops_per_host max_nbd_devices memcached_servers
        metadata_cache_expiration metadata_host metadata_listen metadata_listen_port metadata_manager
        metadata_port metadata_workers monkey_patch monkey_patch_modules multi_host
        multi_instance_display_name_template network_api_class network_driver network_manager
        network_size network_topic networks_path neutron_admin_auth_url neutron_url notification_driver
        notification_topics notify_api_faults num_networks osapi_compute_ext_list
        osapi_compute_extension osapi_compute_link_prefix osapi_compute_listen osapi_compute_listen_port
        osapi_compute_workers osapi_glance_link_prefix osapi_max_limit osapi_max_request_body_size
        ovs_vsctl_timeout periodic_interval_max policy_file public_interface quota_cores quota_driver
        quota_fixed_ips quota_floating_ips quota_injected_files quota_instances quota_key_pairs
        quota_metadata_items quota_ram quota_security_groups quota_server_groups rabbit_host
        rabbit_hosts rabbit_password rabbit_userid ram_weight_multiplier region_list
        remove_unused_kernels remove_unused_resized_minimum_age_seconds rpc_backend
        scheduler_available_filters scheduler_default_filters scheduler_driver
        scheduler_driver_task_period scheduler_host_manager scheduler_manager scheduler_max_attempts
        scheduler_topic scheduler_weight_classes secure_proxy_ssl_header security_group_api
        send_arp_for_ha service_neutron_metadata_proxy share_dhcp_address snapshot_name_template
        sql_connection teardown_unused_network_gateway until_refresh update_dns_entries
        use_forwarded_for use_ipv6 use_network_dns_servers use_neutron use_neutron_default_nets
        use_rootwrap use_single_default_gateway use_syslog_rfc_format vendordata_jsonfile_path verbose
        vlan_interface vlan_start vncserver_listen vncserver_proxyclient_address volume_api_class vpn_ip
        vpn_start xvpvncproxy_base_url
        """
    ),
    "cinder": _names("admin_password api_insecure ca_certificates_file catalog_name"),
    "compute": _names("resource_provider_conflict_retries"),
    "conductor": _names("manager topic use_local"),
    "cyborg": _names("api_endpoint"),
    "filter_scheduler": frozenset(
        {
            "baremetal_enabled_filters",
            "query_placement_for_availability_zone",
            "soft_affinity_weight",
            "use_baremetal_filters",
        }
    ),
    "glance": _names("allowed_direct_url_schemes host port protocol use_glance_v1"),
    "image_cache": _names("checksum_base_images checksum_interval_seconds image_info_filename_pattern"),
    "libvirt": _names(
        """
        block_migration_flag checksum_base_images checksum_interval_seconds glusterfs_mount_point_base
        image_info_filename_pattern live_migration_flag live_migration_progress_timeout
        qemu_allowed_storage_drivers remove_unused_kernels scality_sofs_config scality_sofs_mount_point
        use_usb_tablet vif_driver volume_drivers wait_soft_reboot xen_hvmloader_path
        """
    ),
    "neutron": _names(
        """
        admin_auth_url admin_password admin_tenant_id admin_tenant_name admin_user_id admin_username
        allow_duplicate_networks api_insecure auth_strategy ca_certificates_file url_timeout
        """
    ),
    "placement": _names("os_interface os_region_name interface randomize_allocation_candidates"),
    "scheduler": _names("driver host_manager periodic_task_interval"),
    "spice": _names("keymap"),
    "upgrade_levels": _names("cells cert console consoleauth intercell network"),
    "vnc": _names(
        """
        keymap vncserver_listen vncserver_proxyclient_address xvpvncproxy_base_url xvpvncproxy_host
        xvpvncproxy_port
        """
    ),
    "workarounds": _names(
        """
        destroy_after_evacuate disable_native_luksv1 enable_consoleauth rbd_volume_local_attach
        report_ironic_standard_resource_class_inventory
        """
    ),
}


def is_open_section(section: str) -> bool:
    """Whether any name in ``section`` (lower case) is accepted: it is not ours to check."""
    return section in _OPEN_SECTIONS or _OPEN_PATTERN.fullmatch(section) is not None


def is_library_option(section: str, name: str) -> bool:
    """Whether a library reads ``name``, in a section that is otherwise ours."""
    return name in _LIBRARY_NAMES.get(section, ())


def is_retired(section: str, name: str) -> bool:
    """Whether nova once had ``name`` and ignores it now."""
    return name in _RETIRED_NAMES.get(section, ())
