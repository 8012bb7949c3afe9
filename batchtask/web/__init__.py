"""The web application: puts command side and query side together. A composition root, as the command line is."""
