"""The web application: puts the command side and the query side together. A composition root, as the command line is."""
