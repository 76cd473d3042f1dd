"""What labs talk to: MLflow, Prefect, Redis, the AWS API, Kubernetes, a database, Prometheus.

    Supervisor(folder).up("mlflow").variables   →  {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5001"}

`kinds.py` is the table of services, `programs/` is what runs, `keeper.py` holds one that runs, `home.py` is its folder.
docs/services.md says what each tier can and cannot show.
"""

from labs.services.home import Running
from labs.services.kinds import KINDS
from labs.services.supervisor import Standing, Supervisor
from labs.services.tiers import Kind, Tier

__all__ = ["KINDS", "Kind", "Running", "Standing", "Supervisor", "Tier"]
