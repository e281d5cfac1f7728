"""Raw documents to typed tables: pure, without input or output and without a clock."""
