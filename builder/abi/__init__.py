"""What native code asks of the libraries around it, and what libraries give: read from ELF files, compared for rebases."""
