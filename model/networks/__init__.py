"""Networks: layers put together by a config."""
