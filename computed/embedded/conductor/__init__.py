"""The embedded conductor: answers the object calls and the build requests of a compute from the store."""
