"""The only module that constructs what touches the outside."""
