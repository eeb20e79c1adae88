"""A static site over many runs, in a folder that any web server can serve. Nothing is uploaded anywhere."""
