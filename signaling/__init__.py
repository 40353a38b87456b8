"""The hub: who is connected, which call rings where, how a transfer ends."""
