"""What the clock starts: a runner, its table, and one module per task."""
