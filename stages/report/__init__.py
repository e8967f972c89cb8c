"""Everything that the pipeline made -> one page to look at. It reads tables and metrics and decides nothing."""
