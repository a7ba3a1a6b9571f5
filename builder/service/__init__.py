"""The ledger's HTTP service, seen from its clients: the one writer of a ledger and of nights for workers that share no folder.

What is sent and answered is in wire.py, which the service reads too (web/writing.py, web/nights.py). To change how long clients
go on asking, edit caller.py; what a ledger is over HTTP, ledger.py; what nights are, nights.py.
"""
