"""Keeps an administrator's password where its owner, and nobody else, can read it.

The metadata service shows it encrypted with the owner's own key: `password_0` to `password_3` of the system
metadata (contract: what stock writes, and `nova get-password` reads).
"""

from __future__ import annotations

import base64
from typing import Final

from computed import errors

_CHUNKS: Final = 4
_CHUNK_CHARACTERS: Final = 255


def encrypted(public_key: str | None, password: str) -> dict[str, str]:
    """Entries of the system metadata; none for a key that cannot encrypt (only ssh-rsa can).

    Raises EncryptionFailure, whose text says nothing of the password.
    """
    if not public_key or not public_key.startswith("ssh-rsa"):
        return {}
    # Not at the top: it is large, and most hosts never set a password.
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(public_key.encode())
        if not isinstance(key, rsa.RSAPublicKey):
            return {}
        secret = key.encrypt(password.encode(), padding.PKCS1v15())
    except Exception as error:
        raise errors.EncryptionFailure(reason=type(error).__name__) from None
    text = base64.b64encode(secret).decode()
    pieces = [text[start : start + _CHUNK_CHARACTERS] for start in range(0, len(text), _CHUNK_CHARACTERS)]
    pieces = (pieces + [""] * _CHUNKS)[:_CHUNKS]
    return {f"password_{number}": piece for number, piece in enumerate(pieces)}
