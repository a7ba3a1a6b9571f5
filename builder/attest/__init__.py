"""What is said of an image and signed: statements, envelopes, bundles, keys, and who may sign what.

- What is said: statement.py; its kinds -> kinds.py; how an image was built -> provenance.py.
- How it travels: the envelope -> dsse.py; the file that cosign reads, and its manifest in a registry -> bundle.py.
- Who signs: key_place.py finds keys where they lie: files (keys.py, cosign_key.py), programs (command_signer.py), tokens
  (pkcs11_uri.py, pkcs11_signer.py), an identity (keyless.py). sealing.py is the seam over all of them.
- Whose signatures hold, and when -> trust.py.

Pure, but for key_place.py and the signers that it finds.
"""
