"""Notifications against the contract and against those that a stock nova-compute 34 sent."""

import json
from datetime import UTC, datetime
from pathlib import Path

import oslo_messaging
import pytest
from oslo_config import cfg
from oslo_messaging.notify import _impl_test as told_to
from oslo_utils import fixture as time_fixture
from oslo_versionedobjects import fixture

from computed import conf as computed_conf
from computed import errors, objects
from computed.context import RequestContext
from computed.notifications import events, exception, flavor, host, instance, interface, keypair, storage
from computed.notifications.base import Payload
from computed.notifications.notifier import Notifier

FACTS_DIR = Path(__file__).parent / "facts"
FACTS = json.loads((FACTS_DIR / "notifications.json").read_text())
STOCK = [json.loads(line) for line in (FACTS_DIR / "notifications_stock.jsonl").open()]
"""Every notification of a stock nova-compute with the fake driver through a scenario, in its order."""

MODULES = (exception, flavor, host, instance, interface, keypair, storage)
PAYLOADS = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, Payload) and value is not Payload
}
POWER_STATES = ("pending", "running", "_unused", "paused", "shutdown")


@pytest.fixture(scope="module")
def fingerprints():
    checker = fixture.ObjectVersionChecker({name: [cls] for name, cls in PAYLOADS.items()})
    return checker.get_hashes(extra_data_func=lambda cls: (sorted(cls.SOURCES.items()),))


@pytest.mark.parametrize("name", sorted(FACTS["payloads"]))
def test_payload_is_what_the_contract_says(name, fingerprints):
    fact, ours = FACTS["payloads"][name], PAYLOADS[name]
    assert sorted(ours.fields) == fact["fields"]
    assert {key: list(source) for key, source in ours.SOURCES.items()} == fact["sources"]
    assert fact["version"] == ours.VERSION
    assert fingerprints[name] == fact["fingerprint"]


def test_every_payload_of_ours_is_in_the_contract():
    assert set(PAYLOADS) == set(FACTS["payloads"])


@pytest.mark.parametrize("event", sorted(e for e in FACTS["events_of_compute"] if e.startswith("instance.")))
def test_an_event_carries_the_payload_of_the_contract(event):
    _, action, *phase = event.split(".")
    payload_class = events.payload_class_of(action)
    fact = FACTS["events_of_compute"][event]
    assert (payload_class.__name__, payload_class.VERSION) == (fact["payload"], fact["version"])
    assert events.versioned_type(action, phase[0] if phase else None) == event


def test_legacy_events_have_the_names_that_stock_sends():
    ours = set()
    for event in FACTS["events_of_compute"]:
        kind, action, *phase = event.split(".")
        if kind == "instance":
            ours.add(events.legacy_type(action, phase[0] if phase else None))
    stock = {e for e in FACTS["legacy_events_of_compute"] if e.startswith("compute.instance.")}
    # create_ip and delete_ip have no versioned form.
    assert {event for event in stock - ours if "_ip." not in event} == set()
    assert ours - stock - {None} - set(FACTS["legacy_allowed"]) == set()


def stock_events():
    """(legacy or None, versioned) of each instance event of the stock run."""
    last = None
    for number, sent in enumerate(STOCK):
        if sent["event_type"].startswith("compute.instance."):
            last = sent
        elif sent["event_type"].startswith("instance."):
            _, action, *phase = sent["event_type"].split(".")
            legacy = last if events.legacy_type(action, phase[0] if phase else None) else None
            yield pytest.param(legacy, sent, id=f"{number}-{sent['event_type']}")


def notifier(told_format="both", **options):
    conf = cfg.ConfigOpts()
    computed_conf.register_all(conf)
    conf([], project="computed-test")
    conf.set_override("host", "netstock")
    conf.set_override("notification_format", told_format, group="notifications")
    conf.set_override("api_servers", ["http://127.0.0.1:9292"], group="glance")
    conf.set_override("instance_usage_audit_period", "hour")
    transport = oslo_messaging.get_notification_transport(conf, url="fake://")
    conf.set_override("driver", ["test"], group="oslo_messaging_notifications")
    for name, value in options.items():
        conf.set_override(name, value, group="notifications")
    return Notifier(conf, transport)


@pytest.fixture
def told():
    told_to.reset()
    yield told_to.NOTIFICATIONS
    told_to.reset()


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def instance_of(legacy, versioned):
    """An instance that knows what the stock one knew when this was sent."""
    data = versioned["payload"]["nova_object.data"]
    same = ("availability_zone", "architecture", "display_description", "display_name", "host", "kernel_id")
    same += ("key_name", "locked", "metadata", "node", "os_type", "progress", "ramdisk_id", "reservation_id")
    values = {name: data[name] for name in (*same, "task_state", "user_id", "uuid")}
    times = {n: data[n] for n in ("created_at", "deleted_at", "launched_at", "terminated_at", "updated_at")}
    if legacy:
        times.update({name: legacy["payload"][name] for name in times if legacy["payload"].get(name)})
    flavor_data = data["flavor"]["nova_object.data"]
    known_flavor = {k: v for k, v in flavor_data.items() if k != "projects"}
    made = objects.Instance(
        **values,
        **{name: moment(text) for name, text in times.items()},
        hostname=data["host_name"],
        image_ref=data["image_uuid"],
        vm_state=data["state"],
        power_state=POWER_STATES.index(data["power_state"]),
        project_id=data["tenant_id"],
        auto_disk_config=data["auto_disk_config"] == "AUTO",
        flavor=objects.Flavor(**known_flavor),
        instance_type_id=1,
        cell_name=None,
        access_ip_v4=None,
        access_ip_v6=None,
        id=int(data.get("instance_name", "instance-1").split("-")[1], 16),
        keypairs=objects.KeyPairList(objects=[]),
        tags=objects.TagList(
            objects=[objects.Tag(tag=t, resource_id=values["uuid"]) for t in data.get("tags", ())]
        ),
        trusted_certs=None,
    )
    image = legacy["payload"]["image_meta"] if legacy else {}
    made.system_metadata = {"owner_user_name": "admin", **{f"image_{k}": v for k, v in image.items()}}
    made.info_cache = objects.InstanceInfoCache(instance_uuid=made.uuid, network_info=interfaces(data))
    return made


def interfaces(data):
    ips = [ip["nova_object.data"] for ip in data["ip_addresses"]]
    return [
        {
            "id": ip["port_uuid"],
            "address": ip["mac"],
            "devname": ip["device_name"],
            "network": {
                "label": ip["label"],
                "subnets": [{"ips": [{"address": ip["address"], "type": "fixed", "version": ip["version"]}]}],
            },
        }
        for ip in ips
    ]


def tell(legacy, versioned):
    data = versioned["payload"]["nova_object.data"]
    context = RequestContext(
        user_id=data["action_initiator_user"],
        project_id=data["action_initiator_project"],
        request_id=data["request_id"],
        auth_token="secret-of-the-user",
    )
    made = instance_of(legacy, versioned)
    _, action, *phase = versioned["event_type"].split(".")
    own = ("fault", "keypairs", "tags", "trusted_image_certificates", "instance_name", "audit_period")
    details = {
        "payload": {k: data[k] for k in set(data) - set(PAYLOADS["InstancePayload"].fields) - set(own)},
    }
    if legacy:
        usual = FACTS["keys_in_transcripts"]["compute.instance.pause.start"]
        given = {k: v for k, v in legacy["payload"].items() if k not in usual}
        for key in ("fixed_ips", "exception", "code", "audit_period_beginning", "audit_period_ending"):
            given.pop(key, None)
        if "exception" in legacy["payload"]:
            given.pop("message")
        details["extra"] = given
        if "fixed_ips" in legacy["payload"]:
            details["network_info"] = made.get_network_info()
    if data.get("fault"):
        details["exception"] = raised(errors.NoMoreFixedIps(net="n"))
    return context, made, action, phase[0] if phase else None, details


def raised(error):
    try:
        raise error
    except Exception as exc:
        return exc


@pytest.mark.parametrize(("legacy", "versioned"), stock_events())
def test_both_forms_are_what_stock_sent(told, legacy, versioned, monkeypatch):
    context, made, action, phase, details = tell(legacy, versioned)
    # The stock agent was told to tell block devices, also by verbs that have none at hand.
    monkeypatch.setattr(objects.Instance, "get_bdms", lambda self: [])
    sender = notifier(bdms_in_notifications=True)
    if action == "exists":
        period = versioned["payload"]["nova_object.data"]["audit_period"]["nova_object.data"]
        with time_fixture.TimeFixture(moment(period["audit_period_ending"]).replace(tzinfo=None)):
            sender.exists(context, made, current_period=True, extra=details["extra"])
    else:
        sender.instance(context, made, action, phase, **details)
    expected = [sent for sent in (legacy, versioned) if sent]
    got = [message for _, message, _, _ in told]
    for ours, stock in zip(got, expected, strict=True):
        assert {k: ours[k] for k in ("event_type", "publisher_id", "priority")} == {
            k: stock[k] for k in ("event_type", "publisher_id", "priority")
        }
        ours, stock = comparable(ours["payload"]), comparable(stock["payload"])
        assert ours == stock


def comparable(payload):
    """A payload without the words and places of an error, which are everybody's own."""
    payload = json.loads(json.dumps(payload))
    data = payload.get("nova_object.data", payload)
    if data.get("fault"):
        assert data["fault"]["nova_object.data"]["exception"] == "NoMoreFixedIps"
        data["fault"]["nova_object.data"] = sorted(data["fault"]["nova_object.data"])
    if "exception" in data:
        assert "'class': 'NoMoreFixedIps'" in data.pop("exception")
        assert data.pop("message")
        assert data.pop("code") == 500
    if "audit_period_ending" in data:
        # Stock asks the time twice: a microsecond lies between its two forms.
        data["audit_period_ending"] = data["audit_period_ending"][:19].replace("T", " ")
    return payload


def test_legacy_keys_are_those_of_the_transcripts(told):
    """What stock sent in both recorded scenarios, also for verbs whose values were not recorded."""
    legacy, versioned = next(
        param.values
        for param in stock_events()
        if param.values[1]["event_type"] == "instance.power_off.start"
    )
    context, made, *_ = tell(legacy, versioned)
    sender = notifier("unversioned")
    for event, keys in FACTS["keys_in_transcripts"].items():
        match = next((e for e in FACTS["events_of_compute"] if legacy_name_of(e) == event), None)
        if match is None or match == "instance.exists":
            continue
        _, action, *phase = match.split(".")
        usual = FACTS["keys_in_transcripts"]["compute.instance.pause.start"]
        extra = dict.fromkeys(set(keys) - set(usual) - {"fixed_ips"}, "x")
        network_info = made.get_network_info() if "fixed_ips" in keys else None
        sender.instance(
            context, made, action, phase[0] if phase else None, network_info=network_info, extra=extra
        )
        assert sorted(told[-1][1]["payload"]) == keys


def legacy_name_of(event):
    kind, action, *phase = event.split(".")
    return events.legacy_type(action, phase[0] if phase else None) if kind == "instance" else None


def test_an_rpc_that_failed_is_told_as_stock_tells_it(told):
    stock_legacy = next(sent for sent in STOCK if sent["event_type"] == "attach_interface")
    stock_versioned = next(sent for sent in STOCK if sent["event_type"] == "compute.exception")
    error = raised(errors.FixedIpAlreadyInUse("Address 192.0.2.1 is in use."))
    arguments = {"instance": objects.Instance(uuid="731200ef-5ed6-4d9d-974d-07446491724b"), "tag": None}
    notifier().exception(RequestContext(), error, "attach_interface", arguments)
    (_, legacy, *_), (_, versioned, *_) = told
    for key in ("publisher_id", "priority"):
        assert (legacy[key], versioned[key]) == (stock_legacy[key], stock_versioned[key])
    assert legacy["event_type"] == "attach_interface"
    assert legacy["payload"]["exception"] == (
        "{'kwargs': {'code': 500}, 'message': 'Address 192.0.2.1 is in use.', 'class': 'FixedIpAlreadyInUse'}"
    )
    assert sorted(legacy["payload"]) == sorted(FACTS["legacy"]["wrap_exception_payload_keys"])
    assert legacy["payload"]["args"]["instance"] == {"uuid": arguments["instance"].uuid}
    data = versioned["payload"]["nova_object.data"]
    assert sorted(data) == sorted(stock_versioned["payload"]["nova_object.data"])
    assert (data["exception"], data["function_name"]) == ("FixedIpAlreadyInUse", "raised")
    assert "FixedIpAlreadyInUse" in data["traceback"]
