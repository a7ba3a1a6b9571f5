"""The rules of channels: what must be on record of an image before a channel stands for it. Pure.

Change what stacks/channels.toml may say -> reader.py; what a rule is -> rules.py; what is looked at -> evidence.py; how a rule is
checked -> checks.py, approvals -> approvals.py; what `init` writes -> channels.toml.
"""
