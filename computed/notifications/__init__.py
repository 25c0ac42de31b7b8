"""What the agent announces: versioned and legacy notifications."""
