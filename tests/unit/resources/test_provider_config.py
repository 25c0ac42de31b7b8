"""Provider configuration files: what is accepted, and that a refusal names file and place."""

import pytest

from computed import errors
from computed.resources import provider_config
from computed.resources.provider_config import EVERY_NODE, ProviderConfig

UUID = "8f1b7a4e-8f43-4f0e-9a80-b3d0f8b2c001"
META = "meta: {schema_version: '1.0'}\n"
GOOD = (
    META
    + """
providers:
  - identification: {uuid: $COMPUTE_NODE}
    inventories:
      additional:
        - CUSTOM_GOLD: {total: 10, reserved: 1, allocation_ratio: 1.5}
        - CUSTOM_SILVER: {total: 3}
    traits:
      additional: [CUSTOM_FAST]
  - identification: {name: other-node}
    traits: {additional: [CUSTOM_SLOW]}
"""
)


@pytest.fixture
def write(tmp_path):
    def written(text, name="a.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(tmp_path)

    return written


def test_a_good_file(write):
    assert provider_config.load(write(GOOD)) == (
        ProviderConfig(
            EVERY_NODE,
            "a.yaml",
            {
                "CUSTOM_GOLD": {"total": 10, "reserved": 1, "allocation_ratio": 1.5},
                "CUSTOM_SILVER": {"total": 3},
            },
            frozenset({"CUSTOM_FAST"}),
        ),
        ProviderConfig("other-node", "a.yaml", {}, frozenset({"CUSTOM_SLOW"})),
    )


@pytest.mark.parametrize("text", [META, META + "providers: []\n"])
def test_a_file_without_providers(write, text):
    assert provider_config.load(write(text)) == ()


def test_no_folder_no_file_and_other_files(tmp_path, write):
    assert provider_config.load(str(tmp_path / "none")) == ()
    assert provider_config.load(write("no: yaml: at all", name="notes.txt")) == ()


def test_a_newer_minor_version_is_read_with_a_warning(write, caplog):
    folder = write(GOOD.replace("'1.0'", "'1.7'"))
    assert len(provider_config.load(folder)) == 2
    assert "1.7" in caplog.text


def test_an_entry_that_adds_nothing_is_ignored_with_a_warning(write, caplog):
    folder = write(META + "providers: [{identification: {name: node}}]\n")
    assert provider_config.load(folder) == ()
    assert "providers[0]" in caplog.text


def provider(**more):
    entry = {"identification": {"name": "n"}, **more}
    return META + f"providers: [{entry}]\n"


def inventory(**values):
    return provider(inventories={"additional": [{"CUSTOM_A": values}]})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"\xff\xfe\x00", "a.yaml"),
        ("", "schema_version"),
        ("[1, 2]", "schema_version"),
        ("meta: {}", "schema_version"),
        ("meta: {schema_version: one}", "schema_version"),
        ("meta: {schema_version: '2.0'}", "2.0"),
        ("meta: {schema_version: 1.0}", "meta.schema_version"),
        ("meta: {schema_version: '1.0'", "line"),
        ("meta:\n\t- x", "line 2"),
        (META + "__source_file: x", "__source_file"),
        (META + "providers: {}", "providers"),
        (META + "providers: [{}]", "identification"),
        (META + "providers: [{identification: {}}]", "providers[0].identification"),
        (META + f"providers: [{{identification: {{uuid: {UUID}, name: n}}}}]", "providers[0].identification"),
        (META + "providers: [{identification: {uuid: not-one}}]", "providers[0].identification.uuid"),
        (META + "providers: [{identification: {uuid: $OTHER}}]", "providers[0].identification.uuid"),
        (META + "providers: [{identification: {label: n}}]", "providers[0].identification"),
        (META + "providers: [{identification: {name: ''}}]", "providers[0].identification.name"),
        (provider(traits={"additional": "CUSTOM_A"}), "providers[0].traits.additional"),
        (provider(traits={"additional": ["custom_a"]}), "providers[0].traits.additional[0]"),
        (provider(traits={"additional": ["COMPUTE_NODE"]}), "COMPUTE_NODE"),
        (provider(inventories={"additional": {}}), "providers[0].inventories.additional"),
        (provider(inventories={"additional": [{"VCPU": {"total": 1}}]}), "VCPU"),
        (provider(inventories={"additional": [{"custom_x": {"total": 1}}]}), "custom_x"),
        (inventory(reserved=1), "total"),
        (inventory(total="many"), "total"),
        (inventory(total=1, colour="blue"), "colour"),
        (inventory(total=1, allocation_ratio="x"), "allocation_ratio"),
    ],
)
def test_a_refusal_names_file_and_place(write, text, complaint):
    with pytest.raises(errors.ProviderConfigException) as refusal:
        provider_config.load(write(text))
    assert "a.yaml" in str(refusal.value)
    assert complaint in str(refusal.value)


def test_one_provider_in_two_files(write):
    write(GOOD)
    second = "providers: [{identification: {name: other-node}, traits: {additional: [CUSTOM_A]}}]"
    folder = write(META + second, "b.yaml")
    with pytest.raises(errors.ProviderConfigException, match=r"a\.yaml, b\.yaml.*other-node"):
        provider_config.load(folder)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(errors.ProviderConfigException, match=r"a\.yaml"):
        provider_config.load(str(tmp_path))
