"""The words of libvirt's XML: what it can say, each spelled in one place."""
