"""The in-process placement answers like the real one, keeps its data and can be counted."""

import threading

import pytest

pytest.importorskip("placement")

from computed.embedded import placement_app

PROVIDER = "8f1b7a4e-8f43-4f0e-9a80-b3d0f8b2c001"


def _url(tmp_path, name="placement.db"):
    return f"sqlite:///{tmp_path / name}"


def test_serves_the_real_api_and_counts_requests(tmp_path):
    seen = []
    app = placement_app.start_placement(_url(tmp_path), durable=False)
    adapter = placement_app.placement_adapter(app, on_request=lambda *request: seen.append(request))

    created = adapter.post(
        "/resource_providers", json={"name": "node", "uuid": PROVIDER}, microversion="1.20"
    )
    missing = adapter.get("/resource_providers/does-not-exist", microversion="1.14")

    assert created.status_code == 200
    assert created.json()["uuid"] == PROVIDER
    assert missing.status_code == 404
    assert seen == [("POST", "/resource_providers"), ("GET", "/resource_providers/does-not-exist")]


def test_data_outlives_a_restart_and_databases_do_not_mix(tmp_path):
    def names():
        listed = adapter.get("/resource_providers", microversion="1.14").json()
        return [provider["name"] for provider in listed["resource_providers"]]

    adapter = placement_app.placement_adapter(placement_app.start_placement(_url(tmp_path), durable=False))
    adapter.post("/resource_providers", json={"name": "node", "uuid": PROVIDER}, microversion="1.20")

    adapter = placement_app.placement_adapter(
        placement_app.start_placement(_url(tmp_path, "other.db"), durable=False)
    )
    assert names() == []
    traits = adapter.get("/traits?name=in:COMPUTE_NODE", microversion="1.6").json()["traits"]
    assert traits == ["COMPUTE_NODE"]

    adapter = placement_app.placement_adapter(placement_app.start_placement(_url(tmp_path), durable=False))
    assert names() == ["node"]


def test_parallel_writers_do_not_lock_each_other_out(tmp_path):
    adapter = placement_app.placement_adapter(placement_app.start_placement(_url(tmp_path), durable=False))
    statuses = []

    def create(number):
        answer = adapter.post("/resource_providers", json={"name": f"node{number}"}, microversion="1.20")
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert statuses == [200] * 16
