"""The query side of the web application: what is asked, and what is told live. Loaded by `batchtask/web` alone."""
