"""The bytes of a file, of any known format, as rows of values: one streaming reader."""
