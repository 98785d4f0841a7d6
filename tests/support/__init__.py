"""What the integration tests share: a protocol of their own, clients, and a runner for the gateway.

Standard library only. Nothing here reads the gateway's source: bytes come from docs/protocol.md.
"""
