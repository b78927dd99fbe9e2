"""From predictions to scores, intervals, reports and plots. Nothing here holds text of a note, nor needs TensorFlow.

May import `inputs`, `settings` and `support`, and the front's `scoring`.
"""
