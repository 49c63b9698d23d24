"""A realm's site over HTTP: which one it is, what a request asks for, how it is answered."""
