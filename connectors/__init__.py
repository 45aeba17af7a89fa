"""What the bridge knows of each engine: pure readers and writers of bytes."""
