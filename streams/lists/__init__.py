"""Lists in and out: files of other systems become commands, the standing decisions become a file."""
