"""The command side of the web application: what changes something. Loaded by `batchtask/web` alone."""
