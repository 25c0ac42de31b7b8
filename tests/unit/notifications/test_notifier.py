"""Notifier: who is told, on which topics, what it costs, and what is never told."""

import json
import queue

import oslo_messaging
import pytest
from oslo_config import cfg
from oslo_messaging.notify import _impl_test as told_to

from computed import conf as computed_conf
from computed import errors, objects
from computed.context import RequestContext
from computed.notifications import legacy
from computed.notifications.notifier import Notifier
from computed.objects.base import ComputedObject

UUID = "11111111-1111-4111-8111-111111111111"
SECRETS = ("t0ken", "s3cret", "passw0rd")


def options(driver, told_format="both", **notifications):
    conf = cfg.ConfigOpts()
    computed_conf.register_all(conf)
    conf([], project="computed-test")
    conf.set_override("host", "here")
    conf.set_override("notification_format", told_format, group="notifications")
    for name, value in notifications.items():
        conf.set_override(name, value, group="notifications")
    transport = oslo_messaging.get_notification_transport(conf, url="fake://")
    conf.set_override("driver", driver, group="oslo_messaging_notifications")
    return conf, transport


@pytest.fixture
def told():
    told_to.reset()
    yield told_to.NOTIFICATIONS
    told_to.reset()


def instance_with(**values):
    flavor = objects.Flavor(
        name="tiny", flavorid="1", memory_mb=64, vcpus=1, root_gb=1, ephemeral_gb=2, swap=0, is_public=True
    )
    known = {
        "uuid": UUID,
        "project_id": "p",
        "image_ref": "i",
        "vm_state": "active",
        "task_state": None,
        "flavor": flavor,
        "metadata": {},
        "system_metadata": {},
        "info_cache": objects.InstanceInfoCache(instance_uuid=UUID, network_info=[]),
        "locked": False,
        "id": 1,
        **values,
    }
    return objects.Instance(**known)


class Untouchable:
    """Nothing of it may be looked at."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was looked at although nobody listens")


@pytest.mark.parametrize("driver", [[], ["noop"], [""]])
def test_nothing_is_looked_at_when_nobody_is_told(driver):
    notifier = Notifier(*options(driver))
    notifier.instance(Untouchable(), Untouchable(), "create", "start")
    notifier.exists(Untouchable(), Untouchable())
    notifier.exception(Untouchable(), Untouchable(), "stop_instance", Untouchable())
    notifier.metrics(Untouchable(), Untouchable(), Untouchable())
    notifier.hypervisor_lost(Untouchable(), Untouchable())
    assert not notifier.is_enabled


@pytest.mark.parametrize(
    ("told_format", "types"),
    [
        ("unversioned", ["compute.instance.reboot.start"]),
        ("versioned", ["instance.reboot.start"]),
        ("both", ["compute.instance.reboot.start", "instance.reboot.start"]),
    ],
)
def test_the_format_says_which_forms_are_sent(told, told_format, types):
    notifier = Notifier(*options(["test"], told_format))
    notifier.instance(RequestContext(), instance_with(), "reboot", "start")
    assert [message["event_type"] for _, message, _, _ in told] == types


def test_each_form_goes_to_its_topics_without_the_token():
    conf, transport = options(["messagingv2"], versioned_notifications_topics=["one", "two"])
    arrived = queue.Queue()

    def endpoint(topic):
        def told(self, context, publisher_id, event_type, payload, metadata):
            arrived.put((topic, publisher_id, event_type, context))

        return type("Endpoint", (), {"info": told, "error": told})()

    listeners = [
        oslo_messaging.get_notification_listener(
            transport, [oslo_messaging.Target(topic=topic)], [endpoint(topic)], executor="threading"
        )
        for topic in ("notifications", "one", "two")
    ]
    for listener in listeners:
        listener.start()
    context = RequestContext(user_id="u", project_id="p", auth_token="t0ken", request_id="req-1")
    context.service_token = "t0ken"
    try:
        Notifier(conf, transport).instance(context, instance_with(), "power_on", "end")
        got = [arrived.get(timeout=10) for _ in range(3)]
    finally:
        for listener in listeners:
            listener.stop()
            listener.wait()
    assert sorted(entry[:3] for entry in got) == [
        ("notifications", "compute.here", "compute.instance.power_on.end"),
        ("one", "nova-compute:here", "instance.power_on.end"),
        ("two", "nova-compute:here", "instance.power_on.end"),
    ]
    for _, _, _, seen in got:
        assert seen["request_id"] == "req-1"
        assert "t0ken" not in json.dumps(seen, default=str)


class Conductor:
    """Answers Instance.get_by_uuid and counts what is asked."""

    def __init__(self, answer):
        self.asked = []
        self.answer = answer

    def object_class_action_versions(self, context, objname, objmethod, object_versions, args, kwargs):
        self.asked.append((objname, objmethod, sorted(kwargs.get("expected_attrs") or args[1])))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def object_action(self, *args):
        raise AssertionError("nothing is saved for a notification")


@pytest.fixture
def conductor(monkeypatch):
    def put(answer):
        made = Conductor(answer)
        monkeypatch.setattr(ComputedObject, "indirection_api", made)
        return made

    return put


def test_what_a_payload_lacks_is_fetched_in_one_call(told, conductor):
    pair = objects.KeyPair(name="k", type="ssh", user_id="u", fingerprint="f", public_key="key")
    full = instance_with(
        tags=objects.TagList(objects=[objects.Tag(tag="blue", resource_id=UUID)]),
        keypairs=objects.KeyPairList(objects=[pair]),
        trusted_certs=objects.TrustedCerts(ids=["c"]),
    )
    asked = conductor(full).asked
    instance = instance_with()
    instance._context = RequestContext()
    notifier = Notifier(*options(["test"]))
    notifier.instance(RequestContext(), instance, "create", "start")
    notifier.instance(RequestContext(), instance, "create", "end")
    assert asked == [("Instance", "get_by_uuid", ["keypairs", "tags", "trusted_certs"])]
    data = told[-1][1]["payload"]["nova_object.data"]
    assert (data["tags"], data["trusted_image_certificates"]) == (["blue"], ["c"])
    assert data["keypairs"][0]["nova_object.data"]["public_key"] == "key"


def test_legacy_notifications_fetch_nothing_that_only_versioned_ones_tell(told, conductor):
    asked = conductor(AssertionError("asked")).asked
    instance = instance_with()
    instance._context = RequestContext()
    Notifier(*options(["test"], "unversioned")).instance(RequestContext(), instance, "create", "start")
    assert (len(told), asked) == (1, [])


def test_an_instance_that_is_gone_is_told_of_with_what_is_known(told, conductor):
    conductor(errors.InstanceNotFound(instance_id=UUID))
    instance = instance_with()
    instance._context = RequestContext()
    Notifier(*options(["test"], "versioned")).instance(RequestContext(), instance, "create", "error")
    data = told[-1][1]["payload"]["nova_object.data"]
    assert (data["uuid"], data["tags"], data["keypairs"]) == (UUID, [], [])


def mapping(volume_id):
    return objects.BlockDeviceMapping(
        volume_id=volume_id, boot_index=0, device_name="/dev/vda", tag=None, connection_info='{"s3cret": 1}'
    )


def test_volumes_are_fetched_only_when_an_option_asks_for_them(told, conductor):
    volumes = objects.BlockDeviceMappingList(objects=[mapping(UUID), mapping(None)])
    asked = conductor(volumes)
    asked.object_class_action_versions = lambda *args: asked.asked.append(args[1:3]) or volumes
    for wanted in (False, True):
        instance = instance_with()
        instance._context = RequestContext()
        sender = Notifier(*options(["test"], "versioned", bdms_in_notifications=wanted))
        sender.instance(RequestContext(), instance, "power_off", "start")
    assert asked.asked == [("BlockDeviceMappingList", "get_by_instance_uuid")]
    without, with_volumes = [
        message["payload"]["nova_object.data"]["block_devices"] for _, message, *_ in told
    ]
    assert without is None
    assert [device["nova_object.data"]["volume_id"] for device in with_volumes] == [UUID]


def test_volumes_at_hand_are_told_without_asking(told):
    notifier = Notifier(*options(["test"], "versioned"))
    notifier.instance(RequestContext(), instance_with(), "power_off", "start", bdms=[mapping(UUID)])
    devices = told[0][1]["payload"]["nova_object.data"]["block_devices"]
    assert [device["nova_object.data"]["device_name"] for device in devices] == ["/dev/vda"]


def test_an_error_makes_both_forms_an_error(told):
    notifier = Notifier(*options(["test"]))
    error = errors.BuildAbortException(instance_uuid=UUID, reason="why")
    notifier.instance(RequestContext(), instance_with(), "create", "error", exception=error)
    assert [(message["priority"], priority) for _, message, priority, _ in told] == [("ERROR", "ERROR")] * 2
    legacy = told[0][1]["payload"]
    assert (legacy["code"], legacy["message"]) == (error.code, error.format_message())


NO_ROOM = errors.ComputeResourcesUnavailable(reason="y" * 300)


@pytest.mark.parametrize(
    ("error", "described", "message", "code"),
    [
        (ValueError("abc"), "ValueError('abc')", "ValueError", 500),
        (KeyError("password='s3cret'"), "KeyError(\"password='***'\")", "KeyError", 500),
        (OSError(28, "No space left"), "OSError(28, 'No space left')", "No space left", 500),
        (
            errors.FixedIpAlreadyInUse("Taken."),
            "{'kwargs': {'code': 500}, 'message': 'Taken.', 'class': 'FixedIpAlreadyInUse'}",
            "Taken.",
            500,
        ),
        (NO_ROOM, None, NO_ROOM.format_message()[:255], 400),
    ],
)
def test_an_error_in_the_legacy_form_is_what_consumers_of_stock_know(error, described, message, code):
    told = legacy.of_error(error)
    assert (told["message"], told["code"]) == (message, code)
    assert described is None or told["exception"] == described


def test_new_flavor_is_told_as_a_flavor(told):
    notifier = Notifier(*options(["test"], "versioned"))
    instance = instance_with()
    details = {"new_flavor": instance.flavor}
    notifier.instance(RequestContext(), instance, "resize_prep", "end", payload=details)
    new = told[0][1]["payload"]["nova_object.data"]["new_flavor"]
    assert (new["nova_object.name"], new["nova_object.data"]["flavorid"]) == ("FlavorPayload", "1")


def test_secrets_of_a_failed_call_are_not_told(told):
    instance = instance_with(user_data="s3cret", key_data="s3cret")
    arguments = {
        "instance": instance,
        "admin_password": "passw0rd",
        "new_pass": "passw0rd",
        "injected_files": [["/etc/shadow", "s3cret"]],
        "block_device_mapping": objects.BlockDeviceMappingList(objects=[mapping(UUID)]),
        "filter_properties": {"retry": {"hosts": [["h", "n"]]}},
    }
    try:
        raise ValueError("cannot set adminPass='passw0rd'")
    except ValueError as error:
        Notifier(*options(["test"])).exception(RequestContext(auth_token="t0ken"), error, "build", arguments)
    text = json.dumps([message for _, message, _, _ in told], default=str)
    assert not any(secret in text for secret in SECRETS)
    assert told[0][1]["payload"]["args"]["filter_properties"] == {"retry": {"hosts": [["h", "n"]]}}
    assert told[0][1]["payload"]["args"]["instance"]["uuid"] == UUID


def test_the_image_address_comes_from_the_catalogue_of_the_caller(told):
    endpoint = {"region": "r", "publicURL": "http://public", "internalURL": "http://internal"}
    context = RequestContext(service_catalog=[{"type": "image", "name": "glance", "endpoints": [endpoint]}])
    notifier = Notifier(*options(["test"], "unversioned"))
    notifier.instance(context, instance_with(), "power_on", "start")
    notifier.instance(RequestContext(), instance_with(), "power_on", "start")
    urls = [message["payload"]["image_ref_url"] for _, message, *_ in told]
    assert urls == ["http://internal/images/i", "i"]


def test_a_hypervisor_that_is_lost_in_both_forms(told):
    conf, transport = options(["test"], "both")
    Notifier(conf, transport).hypervisor_lost(RequestContext(), ValueError("gone"))
    [(_, legacy, _, _), (_, versioned, _, _)] = told
    assert legacy["event_type"] == "compute.libvirt.error"
    assert legacy["payload"] == {"ip": conf.my_ip, "method": "_connect", "reason": "gone"}
    assert versioned["event_type"] == "libvirt.connect.error"
    reason = versioned["payload"]["nova_object.data"]["reason"]["nova_object.data"]
    assert (reason["exception"], reason["module_name"]) == ("ValueError", "unknown")
