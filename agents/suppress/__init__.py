"""From delivery events to the standing decision about each contact."""
