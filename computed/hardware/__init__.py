"""Arithmetic of CPUs, NUMA cells and memory pages; pure, no file and no network."""
