"""Registries: images and artifacts pushed and pulled by the distribution spec; every byte verified, both ways.

- references, values and the Protocols that use cases code against: model.py
- whole images: gathered by shipment.py, pushed by transfer.py, pulled by pulling.py; their blobs in a layout folder: folder.py
- the client: client.py, of blobs.py and manifests.py; what manifests refer to: documents.py; what answers say: answers.py
- a question with redirects, retries and deadline: session.py, over wire.py, the only place that opens a connection
- whose password: credentials.py; tokens.py answers what challenge.py reads; the user's config file: settings.py
"""
