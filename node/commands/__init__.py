"""The commands of `callnode`, a module for each kind."""
