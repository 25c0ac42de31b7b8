"""What a uuid looks like."""

import uuid


def is_uuid(text: str) -> bool:
    """Whether `text` is a uuid as the cloud writes it: with its dashes, in either case.

    oslo.utils takes other spellings too; what is named after an instance, a lock say, must have one name.
    """
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
