"""The config drive: what a guest is told of itself on a small disk of its own."""
