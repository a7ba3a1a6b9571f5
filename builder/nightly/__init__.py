"""The build graph of a project, and what a night does with it: who is affected, what was done, what came out.

Change what a report says -> summary.py, acts.py; how Markdown says it -> markdown.py; plots -> trend.py; who is told what -> notice.py.
"""
