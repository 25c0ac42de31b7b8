"""Fill a fresh control plane: who may log in, what may be booted, and where the services are."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import openstack
from openstack.connection import Connection

from tests.integration.plane import waiting
from tests.integration.plane.settings import REGION, SERVICE_USERS, Settings

T = TypeVar("T")
NETWORK, IMAGE = "private", "guest"
#: the volume type whose volumes several servers may have at once
MULTIATTACH = "multiattach"
COMPUTE_MICROVERSION = "2.96"


@dataclass(frozen=True)
class Flavor:
    name: str
    ram_mib: int
    vcpus: int
    disk_gib: int


# Zero-disk flavors are refused to ordinary users, hence the gibibyte.
FLAVORS = (Flavor("m1.nano", 64, 1, 1), Flavor("m1.micro", 128, 1, 1), Flavor("m1.small", 256, 2, 2))


def connect(s: Settings, user: str = "admin", project: str | None = None) -> Connection:
    """A connection to all services as ``user``, in the project of the same name unless another is named."""
    return openstack.connect(
        auth_url=s.auth_url,
        username=user,
        password=s.password,
        project_name=project or user,
        user_domain_name="Default",
        project_domain_name="Default",
        region_name=REGION,
        compute_api_version=COMPUTE_MICROVERSION,
        identity_endpoint_override=s.auth_url,
        app_name="integration",
        load_yaml_config=False,
        load_envvars=False,
    )


def identity(s: Settings) -> None:
    """Catalogue, projects ``service`` and ``demo``, the services' users, and the user ``demo``."""
    cloud: Any = connect(s).identity
    domain = next(cloud.domains(name="Default")).id
    roles = {role.name: role for role in cloud.roles()}
    for name in ("service", "member", "reader", "manager"):
        roles[name] = roles.get(name) or cloud.create_role(name=name)
    projects = {name: cloud.create_project(name=name, domain_id=domain) for name in ("service", "demo")}

    def user(name: str, project: str, *granted: str) -> None:
        made = cloud.create_user(name=name, password=s.password, domain_id=domain)
        for role in granted:
            cloud.assign_project_role_to_user(projects[project], made, roles[role])

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(user, name, "service", "admin", "service") for name in SERVICE_USERS]
        jobs.append(pool.submit(user, "demo", "demo", "member", "reader"))
        jobs += [pool.submit(_endpoint, cloud, *row) for row in _catalogue(s)]
        for job in jobs:
            job.result()
    cloud.assign_project_role_to_user(projects["demo"], next(cloud.users(name="admin")), roles["admin"])


def _catalogue(s: Settings) -> list[tuple[str, str, str]]:
    return [
        ("nova", "compute", s.url("nova", "/v2.1")),
        ("glance", "image", s.url("glance")),
        ("placement", "placement", s.url("placement")),
        ("neutron", "network", s.url("neutron")),
        ("cinder", "block-storage", s.url("cinder", "/v3")),
        ("keystone", "identity", s.auth_url),
    ]


def _endpoint(cloud: Any, name: str, kind: str, url: str) -> None:
    service = next(cloud.services(type=kind), None) or cloud.create_service(name=name, type=kind)
    for interface in ("public", "internal", "admin"):
        cloud.create_endpoint(service_id=service.id, interface=interface, url=url, region_id=REGION)


def resources(s: Settings) -> None:
    """Flavors, an image, and the demo project's network with a subnet."""
    admin: Any = connect(s)

    def flavors() -> None:
        for flavor in FLAVORS:
            admin.compute.create_flavor(
                name=flavor.name, ram=flavor.ram_mib, vcpus=flavor.vcpus, disk=flavor.disk_gib
            )

    def image() -> None:
        # The fake driver never reads a byte of it.
        admin.create_image(
            IMAGE,
            data=b"not a disk" * 100,
            disk_format="raw",
            container_format="bare",
            visibility="public",
            wait=True,
            timeout=60,
            validate_checksum=False,
            allow_duplicates=True,
        )

    def network() -> None:
        demo: Any = connect(s, "demo")
        made = demo.network.create_network(name=NETWORK)
        demo.network.create_subnet(
            name=f"{NETWORK}-v4", network_id=made.id, cidr="10.20.0.0/16", ip_version=4, enable_dhcp=False
        )

    def quotas() -> None:
        project = admin.identity.find_project("demo").id
        admin.set_compute_quotas(project, instances=-1, cores=-1, ram=-1)

    def shared_volumes() -> None:
        admin.block_storage.create_type(
            name=MULTIATTACH, is_public=True, extra_specs={"multiattach": "<is> True"}
        )

    in_parallel(flavors, image, network, quotas, shared_volumes)


def wait_volume_backends(s: Settings, names: Collection[str]) -> None:
    """Until the scheduler of volumes knows what each backend offers: earlier requests find no room."""
    volumes: Any = connect(s).block_storage

    def probe() -> None:
        pools = volumes.get("/scheduler-stats/get_pools").json().get("pools", [])
        found = {pool["name"].partition("@")[2].partition("#")[0] for pool in pools}
        if set(names) - found:
            raise waiting.NotYet(found)

    waiting.until("volume backends", probe, 90, 0.5)


def wait_l2_agents(s: Settings) -> None:
    """Until the layer 2 agent has reported for a host."""
    network: Any = connect(s).network

    def probe() -> None:
        if not list(network.agents()):
            raise waiting.NotYet("no agent")

    waiting.until("layer 2 agent", probe, 60, 0.2)


def in_parallel(*jobs: Callable[[], T]) -> list[T]:
    """Results in the order of the jobs; the first failure is raised."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]
