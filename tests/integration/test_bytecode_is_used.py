"""Every module has bytecode that the base's own Python takes without compiling anything."""
