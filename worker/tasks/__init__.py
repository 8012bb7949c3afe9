"""The built-in tasks. Each is found by its entry point; nothing here is imported by the worker itself."""
