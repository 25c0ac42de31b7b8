"""The files of guests and images on this host: where they are, what they are, how they come about."""
