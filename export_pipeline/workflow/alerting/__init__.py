"""Alerts: what troubles there are, one message each, and where it goes."""
