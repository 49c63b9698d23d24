"""fanout.js in Chromium."""
