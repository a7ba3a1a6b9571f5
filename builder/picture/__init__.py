"""How history looks: pictures as SVG, pages as HTML that need nothing from outside. Pure: values in, text out, stable bytes.

Change how stacks are drawn -> stacks.py (what), tree.py (where); layers of an image -> treemap.py; pages -> page.py, pages/*.html;
plots of nights -> plots.py.
"""
