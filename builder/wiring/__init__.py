"""The only package that constructs what touches the outside."""
