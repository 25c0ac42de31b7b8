"""Recipes: one module per user's verb, with all its legs in the order they happen."""
