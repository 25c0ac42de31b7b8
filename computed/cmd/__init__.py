"""Entry points: the only place that wires the parts together."""
