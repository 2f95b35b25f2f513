"""The ASGI app that takes in webhooks and uploads, durable before it says so."""
