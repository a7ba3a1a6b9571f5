"""From an sdist to a wheel: built once, by the base's own Python, shut off from everything; then a wheel like any other.

- what an sdist may hold: unpack.py             - what it says it needs: build_system.py
- the root folder it is built in: root.py       - the cell around it: cell.py, and what runs inside: driver.py
- one form for the same content: canonical.py   - the whole, done twice and compared: build.py
- what is refused, with the way out: errors.py

It stands above run/, whose namespaces make the cell; the requirements of a build and the files come by the functions of
usecase/build_sdist.py.
"""
