"""The models that score: a protocol, a catalog of names, and one module per family. Only here is torch imported."""
