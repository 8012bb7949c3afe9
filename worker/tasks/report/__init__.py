"""Reports: lists, grouped lists, cross tables and labels over the CRM's records, as PDF or text."""
