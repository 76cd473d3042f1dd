"""Where the model goes when it has arrived. Until then the service lives, and says why it is not ready."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from fastapi import HTTPException

from contract import Reason
from fraud_model import FraudModel, ModelInvalid

log = logging.getLogger("uvicorn.error")


@dataclass
class ModelSlot:
    """Holds the model once it is loaded; `reason` says why there is none yet."""

    path: Path
    model: FraudModel | None = None
    reason: Reason = "model_loading"

    def look(self) -> None:
        """Say at the start whether there is a file; loading it can wait."""
        if not self.path.exists():
            self._say("model_missing", FileNotFoundError(self.path))

    async def loaded(self) -> FraudModel:
        """The model, loaded when it is first asked for.

        Raises:
            HTTPException: 503 while there is none.
        """
        if self.model is None:
            try:
                self.model = await asyncio.to_thread(FraudModel.load, self.path)
            except OSError as error:
                self._say("model_missing", error)
                raise HTTPException(503, "No model is loaded yet.") from None
            except ModelInvalid as error:
                self._say("model_invalid", error)
                raise HTTPException(503, "No model is loaded yet.") from None
        return self.model

    def _say(self, reason: Reason, error: Exception) -> None:
        """Keep the reason for callers; log the details, once, for ourselves."""
        if reason != self.reason:
            log.warning("%s: %s", reason, error)
        self.reason = reason
