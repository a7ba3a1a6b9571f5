"""The OCI nouns as frozen values: value <-> JSON object <-> canonical bytes. Pure: no disk, no clock.

- a media type: media.py                  - descriptors and OCI's word for a platform: descriptor.py, platform.py
- manifest, config, index: one file each  - the files of a layout and what makes one valid: layout.py
- reading JSON from outside strictly: fields.py
"""
