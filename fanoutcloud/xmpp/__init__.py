"""XMPP: channels as PubSub nodes, the API by stanzas, stanzas to XMPP addresses. Off unless it is configured."""
