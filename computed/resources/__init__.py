"""What the host has and who holds it."""
