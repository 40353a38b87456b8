"""Sound: sources, sinks, one peer connection per call leg, recordings."""
