"""The few fields of an ELF file that a dynamic loader looks for libraries with."""
