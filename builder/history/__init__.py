"""What the ledger tells of images: what is in one, what made it another than the one before, what two have apart. Pure.

Change what is known of one image -> image.py; why its bytes are others -> causes.py for inputs, explain.py for layers;
what is in a layer
-> items.py, in an image -> contents.py; what is pulled -> layers.py; how it is told in a line -> telling.py, reasons.py.
"""
