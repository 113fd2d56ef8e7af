"""Where evidence and rows are kept: the ledger database and the dataset store."""
