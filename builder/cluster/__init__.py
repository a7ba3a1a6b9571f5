"""Clusters: the edge that reads what runs.

Change how the Kubernetes API is asked -> client.py, waiting.py; how answers of kubectl are read -> documents.py; what looks
inside a container -> inside.py, which runs there and not here.
"""
