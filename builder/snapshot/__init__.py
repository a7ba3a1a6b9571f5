"""Index snapshots: one state of the world that locks are made against, and the loopback index that resolvers ask.

- what an index offers, as values: model.py; reading upstream pages: pages.py
- asking upstream, and metadata of a wheel by its end alone: upstream.py, metadata.py; keeping both: store.py
- which files of a page a stack may have (time, yanks, reserved names): rules.py
- one run's state of the world, filled on demand or replayed: world.py; serving it to resolvers: server.py
"""
