"""Small tools that know nothing of compute and import nothing from the rest of the house."""
