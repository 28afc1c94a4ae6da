"""Lists that other systems exported of whom not to mail: recognised by their columns, read row by row. Pure."""
