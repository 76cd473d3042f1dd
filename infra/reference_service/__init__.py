"""The reference `fraud` service: what the dashboards, the alerts and the compose tier are tested against.

It serves the world's own champion (a scorecard) and says of itself what an on-call engineer asks at 3 AM. It is no
lab's solution: it learns nothing, stores nothing, and trusts its gateway for the features.
"""
