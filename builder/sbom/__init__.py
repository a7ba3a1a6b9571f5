"""Bills of materials: what is in a platform's image, from its locks and the files that they name, before it is built.

Change what a file tells -> facts.py, and read_wheel.py, nested.py, wheel_sboms.py, read_deb.py, read_base.py, which read it; what
the bill lists -> inventory.py; how things are named -> purls.py; how it is
written -> cyclonedx.py, spdx.py, spdx_ids.py; which forms there are -> make.py.
"""
