"""Live updates: who hears of changes, from where, and when. Read hub.py first."""
