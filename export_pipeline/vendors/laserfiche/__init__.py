"""Laserfiche Repository API V2: seed 001 and FACTS part 2."""
