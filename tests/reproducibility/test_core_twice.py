"""The committed lock of `core`, both platforms, built as two different users: one and the same layout."""
