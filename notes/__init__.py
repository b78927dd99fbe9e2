"""A trained model at work on new notes: candidates for links, consistent answers, timelines, and the export of the model.

May import `training`, `evaluation`, `inputs`, `network`, `settings` and `support`.
"""
