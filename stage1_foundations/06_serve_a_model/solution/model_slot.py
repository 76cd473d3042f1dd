"""Where the model goes when it has arrived. Until then the service lives, and says why it is not ready."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from fastapi import HTTPException

from contract import Reason
from fraud_model import FraudModel, ModelInvalid

RETRY_SECONDS = 0.2

log = logging.getLogger("uvicorn.error")


@dataclass
class ModelSlot:
    """Holds the model once it is loaded; `reason` says why there is none yet."""

    path: Path
    model: FraudModel | None = None
    reason: Reason = "model_loading"

    async def keep_trying(self) -> None:
        """Try to load the file at `path` until that works. Runs beside the requests; cancel it to stop."""
        while True:
            try:
                self.model = model = await asyncio.to_thread(FraudModel.load, self.path)
                log.info("loaded %s", model.version)
                return
            except OSError as error:
                self._say("model_missing", error)
            except ModelInvalid as error:
                self._say("model_invalid", error)
            await asyncio.sleep(RETRY_SECONDS)

    def loaded(self) -> FraudModel:
        """The model.

        Raises:
            HTTPException: 503 while there is none.
        """
        if self.model is None:
            raise HTTPException(503, "No model is loaded yet.", headers={"Retry-After": "1"})
        return self.model

    def _say(self, reason: Reason, error: Exception) -> None:
        """Keep the reason for callers; log the details, once, for ourselves."""
        if reason != self.reason:
            log.warning("%s: %s", reason, error)
        self.reason = reason
