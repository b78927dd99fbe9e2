"""What has nothing to do with medicine or machine learning: files, paths, locks, signals, messages, pages of HTML.

Imports nothing of the project.
"""
