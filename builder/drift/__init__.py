"""Drift: what runs, held against what the ledger says it should be. Pure: values in, values out.

Change what is read of a pod -> pods.py; of an image's name or ID -> images.py; who owns a pod -> workload.py; which pod should
run what -> targets.py; what is wrong with an image -> judge.py; with what is around it -> around.py; with what is installed
inside -> listing.py, distributions.py; how it is mended -> mend.py; how it all comes together -> survey.py; what is recorded ->
record.py.
"""
