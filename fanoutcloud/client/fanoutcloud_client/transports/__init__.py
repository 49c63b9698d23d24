"""The ways to a realm's site: WebSocket, HTTP streaming, server-sent events, long-polling. One `Link` each."""
