"""Tests of an image: what is to be run in it, and what the answers mean. All pure but what runs inside images.

- what a test, a suite and a report are: model.py     - `stacks/<name>/tests/tests.toml`: settings.py
- which files are tests, and how each is started: tasks.py      - the tests that are shipped: smoke.py
- answers read: answers.py, junit.py     - modes of files in layers: modes.py     - JUnit and text written: report.py
- what runs inside images, standard library only: inside.py, its probes inside_providers.py, inside_requirements.py
"""
