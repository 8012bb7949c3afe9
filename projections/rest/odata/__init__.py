"""The query language of the compatible list: `$filter`, `$orderBy` and `$select`, and the SQL they become."""
