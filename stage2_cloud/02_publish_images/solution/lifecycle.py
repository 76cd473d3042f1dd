"""Which images ECR may delete by itself: all that no record names, 30 days after they were pushed.

ECR knows no rule "keep". But an image that matches the tags of one rule cannot be expired by a rule with a lower
priority. So each image that is needed has a rule of its own, which it alone matches. That rule expires what is more
than one image: nothing.

Source: Amazon ECR User Guide, "Lifecycle policy properties" and "How lifecycle policies work".
"""

from __future__ import annotations

import json
from collections.abc import Iterable

EXPIRE_AFTER_DAYS = 30
LAST = 1000


def policy(needed_tags: Iterable[str]) -> str:
    """The text of a lifecycle policy that keeps the images with these tags for ever."""
    # One rule each: a rule with two tags selects only images that have both.
    keep = [
        {
            "rulePriority": number,
            "description": f"keep {tag}: it is deployed, or may be rolled back to",
            "selection": {
                "tagStatus": "tagged",
                "tagPatternList": [tag],
                "countType": "imageCountMoreThan",
                "countNumber": 1,
            },
            "action": {"type": "expire"},
        }
        for number, tag in enumerate(sorted(set(needed_tags)), start=1)
    ]
    expire = {
        "rulePriority": LAST,
        "description": f"expire everything else after {EXPIRE_AFTER_DAYS} days",
        "selection": {
            "tagStatus": "any",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": EXPIRE_AFTER_DAYS,
        },
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [*keep, expire]})
