"""The build graph of a project, and what a night does with it: who is affected, what was done, what came out."""
