"""contentvec-lite: a content encoder that hears the same words whoever says them."""
