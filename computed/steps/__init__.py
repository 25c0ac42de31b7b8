"""Ingredients shared by operations; each does one thing and pushes its own undo."""
