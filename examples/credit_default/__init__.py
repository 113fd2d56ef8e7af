"""Reference project: who will default on a loan, from generated applications with a known truth."""
