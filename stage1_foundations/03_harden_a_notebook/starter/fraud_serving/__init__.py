"""What the payment service installs. It must work without pandas and scikit-learn, and without `fraud_training`."""
