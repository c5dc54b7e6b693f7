"""Measures one cell (model × dataset × device) at a time, in processes of its own."""
