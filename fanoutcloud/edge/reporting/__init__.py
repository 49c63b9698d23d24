"""What a process tells of itself: figures and usage, activity, the subscription feed, answers to reads."""
