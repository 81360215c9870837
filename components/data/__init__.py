"""Getting data in: sources to tables, tables to TFX Examples."""
