"""HookBridge (seed 002): exports of delivery logs as CSV, pulled through a redirect."""
