"""Running an image: one engine a file, behind the Protocol `Engine` of model.py.

- what is wanted and what an engine is: model.py    - the command, environment and user it comes to: process.py
- layers unpacked into a root folder: rootfs.py     - waiting for a foreground program: foreground.py
- which engine: engines.py, where a new one gets its line
"""
