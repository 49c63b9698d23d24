"""The parts of the compatible API (`/realm/{realm}/…`) that change the database, and so go through Django."""
