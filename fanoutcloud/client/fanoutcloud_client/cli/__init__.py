"""The command `fanout`: what the library does, for people at a terminal and for scripts."""
