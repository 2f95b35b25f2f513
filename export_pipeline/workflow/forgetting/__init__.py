"""Forgetting a scan everywhere, holding one, and retention by age."""
