"""The pages and their buttons: HTTP only. What they show is read elsewhere, what they do is in operations."""
