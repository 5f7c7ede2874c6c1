"""The body of every error."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ErrorDetail(BaseModel):
    """The error's code and message."""

    code: str = Field(description="a word for programs", examples=["invalid_input"])
    message: str = Field(description="a sentence for people; names the field")
    field: str | None = Field(description="path of the field at fault, as in messages.2")


class ErrorAnswer(BaseModel):
    """An error."""

    error: ErrorDetail
