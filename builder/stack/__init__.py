"""What teams ask for: stack.toml and base files as values, parents applied, inputs digested. Pure.

A key of stack.toml is in reader.py, of a base file in base.py; both read through table.py, which collects issues.
What a child inherits, and what it may change, is in graph.py. What makes a lock stale is in inputs.py.
"""
