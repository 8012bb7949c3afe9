"""What the command side and the query side of the web application share: callers, problems, the wire's shapes."""
