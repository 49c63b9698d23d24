"""Pages that ask the delivery plane: who is connected, what happened to an item, sending one again."""
