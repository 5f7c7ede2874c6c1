"""The one body of everything that went wrong."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str = Field(description="a word for programs", examples=["invalid_input"])
    message: str = Field(description="a sentence for people; names the field")
    field: str | None = Field(description="path of the field at fault, as in messages.2")


class ErrorAnswer(BaseModel):
    """An error."""

    error: ErrorDetail
