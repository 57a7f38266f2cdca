"""How jobs are read: one job, pages of jobs, what a job carries. O(page), and nothing is changed.

Not through RQ's registries: reading their count deletes entries, and their id lists are whole lists.
"""
