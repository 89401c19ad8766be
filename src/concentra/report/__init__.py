"""Results → documents for people and programs, one module a format. Nothing here prints or writes."""
