"""What `benchmark.py` measures: the parts of a run, each in a process of its own, and one recipe against another.

May import everything but the programs at the top.
"""
