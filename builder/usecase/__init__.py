"""usecase."""
