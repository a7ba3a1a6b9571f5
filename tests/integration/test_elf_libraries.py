"""Every ELF file of an image finds the libraries that it needs, on both platforms and both bases."""
