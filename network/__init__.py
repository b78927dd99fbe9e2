"""What `modeling.py` is built of: TensorFlow as this project uses it, the layers of a Transformer, the weights of a BERT.

May import `support`. TensorFlow comes into the project here, in `runtime`.
"""
