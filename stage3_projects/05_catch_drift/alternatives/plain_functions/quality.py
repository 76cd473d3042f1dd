"""Quality from late labels, by plain bookkeeping."""

from datetime import timedelta

import numpy as np
from sklearn.metrics import average_precision_score, precision_score, recall_score


def quality(transactions, labels, as_of, threshold):
    arrived = labels[labels.labelled_at <= as_of]
    known = dict(zip(arrived.transaction_id.tolist(), arrived.is_fraud.tolist(), strict=True))
    old_enough = transactions[transactions.event_time <= as_of - timedelta(days=30)]
    counting = old_enough[old_enough.transaction_id.isin(list(known))]
    fraud = np.array([known[i] for i in counting.transaction_id], dtype=bool)
    flagged = counting.score.to_numpy() >= threshold
    result = dict.fromkeys(("precision", "recall", "pr_auc"))
    if flagged.any():
        result["precision"] = float(precision_score(fraud, flagged, zero_division=0))
    if fraud.any():
        result["recall"] = float(recall_score(fraud, flagged))
        result["pr_auc"] = float(average_precision_score(fraud, counting.score))
    return {"counted": len(counting), "waiting": len(transactions) - len(counting), **result}
