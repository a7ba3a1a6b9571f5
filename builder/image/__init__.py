"""From locks to images. Change X, edit Y.

- which layers an image has and what is in them: parts.py, plan*.py (distributions)   - what the image promises: contract.py
- what a segment is made from, and its key: sources.py, formats.py                    - the cache's file of one: segment.py
- bytes of tar and compression: tarball.py, compress.py                               - layers: layer.py, directories.py
- the whole of it, in order: assemble.py; work in threads: tasks.py                   - one owner a path: settle.py, ownership.py
- many images in one process: memory.py, together.py, verified.py
- what is written where: output.py, layout_folder.py, archive.py; read: layout_reader.py; compared: compare.py
- the Python that compiles: interpreter.py, compilers.py
"""
