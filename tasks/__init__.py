"""What differs between the tasks: one object each, which the commands ask. None of them is known by name below.

A task is a `task.Task` in a module of its own, and a program in the front that hands it to `commands.main`. `training` and
`network` get what they need passed in: the labels, and the folder of the checkpoints. May import `evaluation`, `inputs`,
`settings` and `support`, and the front's data processors.
"""
