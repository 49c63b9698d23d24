-- Prosody 0.12 in front of Fanout Cloud. Everything that differs between installations is in the environment:
--   XMPP_DOMAIN, XMPP_SECRET     as Fanout Cloud has them
--   XMPP_AUTH_URL                where it takes questions about passwords: http://HOST:PORT/xmpp/auth
--   PROSODY_MODULES, PROSODY_DATA, PROSODY_CERTIFICATE (PEM file with key and certificate)
--   PROSODY_INTERFACE, PROSODY_C2S_PORT, PROSODY_TLS_PORT, PROSODY_COMPONENT_PORT
--   PROSODY_S2S_PORT             for federation; without it there is none
-- Change what you need; the sizes and rates are those that docs/topics/xmpp.md speaks of.

local domain = ENV_XMPP_DOMAIN or "localhost"

plugin_paths = { ENV_PROSODY_MODULES }
data_path = ENV_PROSODY_DATA
pidfile = ENV_PROSODY_DATA .. "/prosody.pid"
log = { info = "*console" }
network_backend = "epoll"
storage = "memory"  -- sessions only: nothing of ours lives here
gc = { threshold = 200 }  -- collecting garbage half as often as by default halves the cost of a notification

interfaces = { ENV_PROSODY_INTERFACE or "127.0.0.1" }
c2s_ports = { tonumber(ENV_PROSODY_C2S_PORT or 5222) }
c2s_direct_tls_ports = { tonumber(ENV_PROSODY_TLS_PORT) }
component_interfaces = { "127.0.0.1" }  -- in plain text: loopback or a private network only
component_ports = { tonumber(ENV_PROSODY_COMPONENT_PORT or 5347) }
component_conflict_resolve = "kick_old"  -- a gateway that comes back need not wait for the end of its old connection
s2s_ports = { tonumber(ENV_PROSODY_S2S_PORT) }

modules_enabled = { "disco"; "saslauth"; "tls"; "roster"; "ping"; "smacks"; "limits"; "time"; "version"; "posix" }
modules_disabled = { not ENV_PROSODY_S2S_PORT and "s2s" or nil }

certificates = ENV_PROSODY_DATA
ssl = { key = ENV_PROSODY_CERTIFICATE, certificate = ENV_PROSODY_CERTIFICATE }
c2s_require_encryption = true
allow_unencrypted_plain_auth = false

-- Debian's own configuration holds a client to 10 kB/s, which is 27 publishes per second.
limits = { c2s = { rate = "1mb/s"; burst = "2s" }; s2sin = { rate = "500kb/s" } }
c2s_stanza_size_limit = 262144
component_stanza_size_limit = 524288

VirtualHost (domain)
  authentication = "fanout"
  fanout_auth_url = ENV_XMPP_AUTH_URL
  fanout_auth_secret = ENV_XMPP_SECRET

VirtualHost ("guest." .. domain)
  authentication = "anonymous"
  allow_anonymous_multiresourcing = false

Component ("pubsub." .. domain)
  component_secret = ENV_XMPP_SECRET
  name = "Channels"

Component ("api." .. domain)
  component_secret = ENV_XMPP_SECRET
  name = "Commands"

Component ("stanza." .. domain)
  component_secret = ENV_XMPP_SECRET
  name = "Stanzas"
