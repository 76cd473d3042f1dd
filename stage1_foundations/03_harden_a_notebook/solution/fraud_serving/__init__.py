"""What goes into the payment service's image: reading a payment, its features, the scorecard, the log.

Nothing here needs more than Python itself. `fraud_training` imports this package; never the other way round.
"""
