"""Random passwords."""

import pytest

from computed.lib.passwords import new_password


@pytest.mark.parametrize("length", [0, 1, 2, 3, 12, 64])
def test_length(length):
    assert len(new_password(length)) == length


def test_one_of_each_kind_and_never_the_same():
    made = {new_password(12) for _ in range(50)}
    assert len(made) == 50
    for password in made:
        assert any(c.isdigit() for c in password)
        assert any(c.islower() for c in password)
        assert any(c.isupper() for c in password)
        assert not set(password) & set("01IOl")
