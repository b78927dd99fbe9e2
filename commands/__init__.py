"""What `run_i2b2.py` does, a module for each command or for a few small ones.

May import everything below: `notes`, `training`, `evaluation`, `inputs`, `network`, `settings`, `support`, and the front's modules.
TensorFlow is imported inside the functions, once the inputs are known to be there.
"""
