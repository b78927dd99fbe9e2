"""Fine-tuning: the Estimator, upstream's protocol around it, checkpoints, the run in a result folder, several devices.

May import `evaluation`, `inputs`, `network`, `settings` and `support`, and the front's model and optimizers.
"""
