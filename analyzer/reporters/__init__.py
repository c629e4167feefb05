"""Analysis -> text: what people and machines read of it."""
