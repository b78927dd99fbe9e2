"""What those who work on the project run: setting up, testing, and drawing the pictures of the README.

May import everything below the programs at the top.
"""
