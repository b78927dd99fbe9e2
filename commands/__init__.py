"""What `run_i2b2.py` and `run_BC5CDR.py` do, a module for each command or for a few small ones.

What depends on the task they ask the task. May import everything below: `notes`, `tasks`, `training`, `evaluation`, `inputs`,
`network`, `settings`, `support`, and the front's modules. TensorFlow is imported inside the functions, once the inputs are known to
be there.
"""
