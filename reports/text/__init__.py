"""Tables, number formats, names and escaping."""
