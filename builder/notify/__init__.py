"""Tells others: webhook.py by a signed request, chat.py by apprise's services, delivery.py what came of it. Knows nothing of what is told."""
