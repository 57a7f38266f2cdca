"""The API in OpenAPI 3.1: what is sent, what is answered, with examples. Programs read it, and so does the page.

The endpoints are found by drf-spectacular; what it cannot know, since bodies are read by hand for speed, is here.
"""
