"""What stays with the team that trains. It may import `fraud_serving`; never the other way round."""
