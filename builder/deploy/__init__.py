"""What deployments take from the ledger, and whether what they would run is it. Pure: text in, values and text out.

A form that a tool reads: one file for each, as helm.py, flux.py; forms.py lists them. What is known of an image: answer.py.
An image's name in somebody's manifest: image_name.py. Manifests as trees, bounded: manifest.py. Where images stand in them:
collect.py with texts.py and executor.py. What is allowed beside a channel: allowed.py. The verdict: judge.py.
"""
