"""A CRM in small: sample data and a running system to look at."""
