"""A password that only its owner can read."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from computed import errors
from computed.virt.libvirt.stored_password import encrypted


def public_text(key):
    form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return key.public_key().public_bytes(*form).decode()


def test_the_owner_reads_it():
    key = rsa.generate_private_key(65537, 2048)
    found = encrypted(public_text(key) + " me@home", "s3cret")
    assert list(found) == ["password_0", "password_1", "password_2", "password_3"]
    assert [len(piece) for piece in found.values()] == [255, 89, 0, 0]
    secret = base64.b64decode("".join(found.values()))
    assert key.decrypt(secret, padding.PKCS1v15()) == b"s3cret"


@pytest.mark.parametrize("key", [None, "", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me"])
def test_other_keys_encrypt_nothing(key):
    assert encrypted(key, "s3cret") == {}


def test_a_broken_key_is_said_without_the_password():
    with pytest.raises(errors.EncryptionFailure) as caught:
        encrypted("ssh-rsa nonsense", "s3cret")
    assert "s3cret" not in str(caught.value)


def test_a_password_that_the_key_cannot_take_is_not_shown():
    key = rsa.generate_private_key(65537, 2048)
    with pytest.raises(errors.EncryptionFailure) as caught:
        encrypted(public_text(key), "s3cret" * 100)
    assert "s3cret" not in str(caught.value)
