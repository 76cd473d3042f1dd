"""What stays in the training cluster: settings, the split, the fit, the evaluation, the gate."""
