"""From a report to classified delivery events: `classification.classify` is the way in."""
