"""Linear layers in other number formats and layouts, and the networks that hold them."""
