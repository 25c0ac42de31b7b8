"""The words of a guest's devices."""
