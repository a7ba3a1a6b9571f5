"""From what a stack wants to candidates, and from locked files to places where they may be had.

- where files come from: settings.py is what that is, user_settings.py whose hold, uv_settings.py and pip_settings.py
  read those tools' own
- another resolver: a sibling of uv.py behind model.Resolver, and a line in wiring/locks.py
- which wheel a base uses: tags.py; how platforms become one lock: merge.py
- what an index does not say of its files: measure.py; how uv is run: uv_process.py
- where to download locked files: simple.py
"""
