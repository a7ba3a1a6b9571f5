"""Registries: images and artifacts pushed and pulled by the distribution spec; every byte verified, both ways.

- references, values and the Protocols that use cases code against: model.py
"""
