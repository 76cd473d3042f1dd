"""Scores UPI payments for fraud."""
