"""The rules of the house that a machine can check; an exception needs a reason here. See CONTRIBUTING.md."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import committed_files

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("fanoutcloud", "accounts", "realms", "publishing", "onboarding")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "lib", "misc", "tools"}

#: Files and functions (`path::name`) that may be longer, each with its reason.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}

#: Modules without a test module of their own: the test that covers them, or why there is nothing to test.
NO_TEST_OF_ITS_OWN = {
    "fanoutcloud/client/fanoutcloud_client/cli/listen.py": "tests/client/test_signing_in.py",
    "fanoutcloud/client/fanoutcloud_client/cli/bench.py": "tests/client/test_measuring.py",
    "fanoutcloud/client/fanoutcloud_client/cli/load.py": "tests/client/test_measuring.py",
    "fanoutcloud/client/fanoutcloud_client/cli/doctor.py": "tests/client/test_measuring.py",
    "fanoutcloud/client/fanoutcloud_client/cli/login.py": "tests/client/test_signing_in.py",
    "fanoutcloud/client/fanoutcloud_client/cli/tail.py": "tests/client/test_signing_in.py",
    "onboarding/first_page.py": "tests/onboarding/test_views.py",
    "realms/models/device_logins.py": "tests/realms/services/test_device_logins.py",
    "realms/xmpp_errors.py": "tests/realms/services/test_xmpp.py",
    "fanoutcloud/core/xmpp_commands.py": "declarations",
    "fanoutcloud/core/xmpp_receivers.py": "declarations",
    "realms/receiver_book.py": "tests/contracts/test_xmpp_receivers.py",
    "fanoutcloud/xmpp/channel_list.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/stanza_service.py": "tests/contracts/test_xmpp_receivers.py",
    "fanoutcloud/xmpp/keeping.py": "tests/flows/test_xmpp_outages.py",
    "fanoutcloud/xmpp/node_settings.py": "tests/contracts/test_xmpp_commands.py",
    "publishing/xmpp_address_commands.py": "tests/contracts/test_xmpp_receivers.py",
    "publishing/xmpp_commands.py": "tests/contracts/test_xmpp_commands.py",
    "publishing/api/xmpp.py": "tests/publishing/api/test_crossing.py",
    "realms/models/xmpp.py": "tests/realms/services/test_xmpp.py",
    "fanoutcloud/client/fanoutcloud_client/blocking.py": "tests/client/test_clients.py",
    "fanoutcloud/client/fanoutcloud_client/errors.py": "tests/client/test_calls.py",
    "fanoutcloud/client/fanoutcloud_client/events.py": "tests/client/test_subscriptions.py",
    "fanoutcloud/client/fanoutcloud_client/json_text.py": "tests/client/test_items.py",
    "fanoutcloud/client/fanoutcloud_client/publishing.py": "tests/client/test_calls.py",
    "fanoutcloud/client/fanoutcloud_client/reading.py": "tests/client/test_clients.py",
    "fanoutcloud/client/fanoutcloud_client/service.py": "tests/client/test_calls.py",
    "fanoutcloud/client/fanoutcloud_client/version.py": "declarations",
    "fanoutcloud/client/fanoutcloud_client/cli/completing.py": "tests/client/test_package.py",
    "fanoutcloud/client/fanoutcloud_client/cli/main.py": "tests/client/test_command_line.py",
    "fanoutcloud/client/fanoutcloud_client/cli/output.py": "tests/client/test_command_line.py",
    "fanoutcloud/client/fanoutcloud_client/cli/publish.py": "tests/client/test_command_line.py",
    "fanoutcloud/client/fanoutcloud_client/cli/read.py": "tests/client/test_command_line.py",
    "fanoutcloud/client/fanoutcloud_client/cli/settings.py": "tests/client/test_command_line.py",
    "fanoutcloud/client/fanoutcloud_client/cli/subscribe.py": "tests/client/test_command_line.py",
    "fanoutcloud/client/fanoutcloud_client/cli/token.py": "tests/client/test_command_line.py",
    "fanoutcloud/client/fanoutcloud_client/cli/why.py": "tests/client/test_command_line.py",
    "fanoutcloud/client/fanoutcloud_client/transports/http_stream.py": "tests/client/test_subscriptions.py",
    "fanoutcloud/client/fanoutcloud_client/transports/link.py": "declarations",
    "fanoutcloud/client/fanoutcloud_client/transports/long_poll.py": "tests/client/test_subscriptions.py",
    "fanoutcloud/client/fanoutcloud_client/transports/websocket.py": "tests/client/test_subscriptions.py",
    "fanoutcloud/xmpp/component.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/link.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/sign_in.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/core/xmpp_subscriptions.py": "tests/broker/test_redis_xmpp.py",
    "fanoutcloud/management/commands/xmpp.py": "tests/flows/test_xmpp_outages.py",
    "fanoutcloud/xmpp/sessions.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/access.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/channels.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/gateway.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/listener.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/pubsub.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/disco.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/stanzas.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/addresses.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/forms.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp/wire.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/core/xml_elements.py": "tests/core/test_xml_parsing.py",
    "fanoutcloud/core/xmpp_rights.py": "declarations",
    "fanoutcloud/xmpp_doors.py": "tests/contracts/test_xmpp.py",
    "fanoutcloud/xmpp_certificate.py": "tests/contracts/test_xmpp.py",
    "realms/middleware.py": "tests/realms/test_audit.py",
    "fanoutcloud/core/allowances.py": "declarations",
    "fanoutcloud/core/domains.py": "declarations",
    "fanoutcloud/grip/client_sockets.py": "tests/grip/test_sockets_over_http.py",
    "fanoutcloud/grip/grip_sockets.py": "tests/grip/test_sockets_over_http.py",
    "fanoutcloud/grip/asking.py": "tests/grip/test_stream_holds.py",
    "fanoutcloud/grip/client_streams.py": "tests/grip/test_stream_holds.py",
    "fanoutcloud/grip/held_subscribers.py": "tests/grip/test_stream_holds.py",
    "fanoutcloud/grip/last_ids.py": "tests/grip/test_response_holds.py",
    "fanoutcloud/grip/wires.py": "tests/grip/test_stream_holds.py",
    "fanoutcloud/edge/connections/client_response.py": "tests/grip/test_proxy.py",
    "fanoutcloud/edge/site/elsewhere.py": "declarations",
    "fanoutcloud/edge/selection/following.py": "tests/edge/selection/test_pattern_followers.py",
    "fanoutcloud/grip/client_exchange.py": "tests/grip/test_proxy.py",
    "fanoutcloud/grip/headers.py": "tests/grip/test_proxy.py",
    "fanoutcloud/grip/leaving.py": "tests/grip/test_proxy.py",
    "fanoutcloud/grip/origin_sockets.py": "tests/grip/test_native_sockets.py",
    "fanoutcloud/grip/origins.py": "tests/grip/test_proxy.py",
    "fanoutcloud/grip/rejections.py": "tests/grip/test_sockets_over_http.py",
    "fanoutcloud/grip/request_body.py": "tests/grip/test_proxy.py",
    "fanoutcloud/grip/resumed_body.py": "tests/grip/test_proxy.py",
    "fanoutcloud/grip/signature.py": "tests/grip/test_proxy.py",
    "fanoutcloud/passing_on.py": "tests/contracts/test_origins.py",
    "fanoutcloud/broker/redis_open_connections.py": "tests/contracts/test_open_connections.py",
    "publishing/api/webhook_history.py": "tests/publishing/api/test_webhooks.py",
    "publishing/webhooks/database_thread.py": "tests/publishing/webhooks/test_pump.py",
    "fanoutcloud/outbound/connection.py": "tests/outbound/test_client.py",
    "fanoutcloud/outbound/errors.py": "declarations",
    "accounts/email.py": "tests/accounts/test_outbox.py",
    "accounts/selectors.py": "tests/accounts/test_views.py",
    "accounts/services.py": "tests/accounts/test_outbox.py",
    "accounts/tasks.py": "tests/accounts/test_task_queue.py",
    "fanoutcloud/application.py": "tests/contracts/test_transports.py",
    "fanoutcloud/asgi.py": "tests/contracts/test_transports.py",
    "fanoutcloud/edge_asgi.py": "tests/management/test_loading.py",
    "fanoutcloud/broker/base.py": "tests/contracts/test_broker.py",
    "fanoutcloud/broker/memory_limit_store.py": "tests/contracts/test_limit_store.py",
    "fanoutcloud/broker/memory_stream.py": "tests/contracts/test_broker_delivery.py",
    "fanoutcloud/broker/redis_limit_store.py": "tests/contracts/test_limit_store.py",
    "fanoutcloud/broker/redis_cluster_live.py": "tests/broker/test_redis_cluster.py",
    "fanoutcloud/broker/redis_read_scripts.py": "tests/contracts/test_broker_history.py",
    "fanoutcloud/broker/redis_scripts.py": "tests/contracts/test_broker_sequencing.py",
    "fanoutcloud/broker/redis_subscriptions.py": "tests/contracts/test_broker_delivery.py",
    "fanoutcloud/celery.py": "tests/accounts/test_task_queue.py",
    "fanoutcloud/core/clock.py": "reads the system's clocks, nothing else",
    "fanoutcloud/broker/roll_call.py": "tests/contracts/test_roll_call.py",
    "fanoutcloud/core/reads.py": "declarations: the protocol, kept to by tests/edge/reporting/test_reads.py",
    "fanoutcloud/broker/memory_presence.py": "tests/contracts/test_presence_store.py",
    "fanoutcloud/broker/redis_presence.py": "tests/contracts/test_presence_store.py",
    "fanoutcloud/core/presence.py": "declarations: the protocol, kept to by tests/contracts/test_presence_store.py",
    "fanoutcloud/edge/reporting/sightings.py": "tests/edge/hub/test_hub.py",
    "fanoutcloud/edge/presence/attendance.py": "declarations: kept to by tests/edge/presence/test_presence.py",
    "fanoutcloud/edge/presence/view.py": "tests/edge/presence/test_presence.py",
    "fanoutcloud/edge/presence/watching.py": "tests/flows/test_presence.py",
    "fanoutcloud/edge/hub/local_channels.py": "tests/edge/hub/test_hub_joining.py",
    "fanoutcloud/edge/hub/subscriber_index.py": "tests/edge/reporting/test_reads.py",
    "fanoutcloud/core/directory.py": "declarations: the protocol, kept to by tests/realms/test_directory.py",
    "fanoutcloud/core/own_hosts.py": "tests/edge/site/test_sites.py",
    "fanoutcloud/edge/site/client_publishing.py": "tests/contracts/test_transports_rules.py",
    "fanoutcloud/edge/bayeux/conversation.py": "tests/edge/bayeux/test_sessions.py",
    "fanoutcloud/edge/bayeux/event_source.py": "tests/contracts/test_bayeux.py",
    "fanoutcloud/edge/bayeux/http.py": "tests/contracts/test_bayeux.py",
    "fanoutcloud/edge/bayeux/session.py": "tests/edge/bayeux/test_sessions.py",
    "fanoutcloud/edge/bayeux/session_state.py": "tests/edge/bayeux/test_moves.py",
    "fanoutcloud/edge/bayeux/socket.py": "tests/contracts/test_bayeux.py",
    "fanoutcloud/edge/bayeux/transport.py": "tests/contracts/test_bayeux.py",
    "fanoutcloud/edge/site/bodies.py": "tests/contracts/test_bayeux.py",
    "fanoutcloud/edge/fpp/subscriber.py": "tests/contracts/test_fpp.py",
    "fanoutcloud/edge/fpp/transport.py": "tests/contracts/test_fpp.py",
    "fanoutcloud/edge/connections/holding.py": "tests/contracts/test_bayeux.py",
    "fanoutcloud/edge/transports/subscription_stream.py": "tests/contracts/test_subscription_feed.py",
    "fanoutcloud/subscription_feed.py": "tests/contracts/test_subscription_feed.py",
    "publishing/models.py": "tests/publishing/webhooks/test_endpoints.py",
    "publishing/api/webhook_fields.py": "tests/publishing/api/test_webhooks.py",
    "publishing/webhooks/bodies.py": "tests/publishing/webhooks/test_signing.py",
    "publishing/webhooks/calls.py": "declarations",
    "publishing/webhooks/errors.py": "declarations",
    "publishing/webhooks/health.py": "tests/publishing/webhooks/test_pump.py",
    "publishing/webhooks/results.py": "tests/publishing/webhooks/test_pump.py",
    "publishing/webhooks/sender.py": "tests/publishing/webhooks/test_pump.py",
    "fanoutcloud/webhook_worker.py": "tests/flows/test_webhooks.py",
    "fanoutcloud/broker/redis_replies.py": "tests/contracts/test_broker.py",
    "fanoutcloud/edge/hub/broadcasts.py": "tests/edge/hub/test_hub.py",
    "fanoutcloud/broker/event_outboxes.py": "tests/contracts/test_event_outbox.py",
    "fanoutcloud/broker/memory_event_outbox.py": "tests/contracts/test_event_outbox.py",
    "fanoutcloud/broker/redis_event_outbox.py": "tests/contracts/test_event_outbox.py",
    "fanoutcloud/broker/redis_event_scripts.py": "tests/contracts/test_item_outbox.py",
    "fanoutcloud/broker/item_outbox.py": "tests/contracts/test_item_outbox.py",
    "publishing/webhooks/interest.py": "tests/publishing/webhooks/test_request_subscriptions.py",
    "publishing/webhooks/selectors.py": "tests/publishing/webhooks/test_replays.py",
    "realms/services/webhooks.py": "tests/publishing/compatible/test_request_subscriptions.py",
    "realms/models/webhooks.py": "declarations",
    "realms/services/feeds.py": "tests/contracts/test_subscription_feed.py",
    "fanoutcloud/edge/hub/channel.py": "tests/edge/hub/test_hub_joining.py",
    "fanoutcloud/edge/hub/catching_up.py": "tests/edge/hub/test_hub_joining.py",
    "fanoutcloud/edge/takeover/state.py": "tests/edge/takeover/test_taking_over.py",
    "fanoutcloud/edge/limits.py": "declarations",
    "fanoutcloud/edge/encoding/messages.py": "tests/contracts/test_transports.py",
    "fanoutcloud/edge/site/responses.py": "tests/flows/test_half_open_clients.py",
    "fanoutcloud/edge/connections/handshake.py": "tests/flows/test_half_open_clients.py",
    "fanoutcloud/edge/connections/held_websocket.py": "tests/conformance/test_echo.py",
    "fanoutcloud/edge/connections/http_protocol.py": "tests/edge/connections/test_held_poll.py",
    "fanoutcloud/edge/hub/subscriber.py": "tests/edge/hub/test_hub.py",
    "fanoutcloud/edge/transports/presence.py": "tests/flows/test_presence.py",
    "fanoutcloud/edge/transports/http_stream.py": "tests/contracts/test_transports.py",
    "fanoutcloud/edge/transports/long_poll.py": "tests/contracts/test_transports.py",
    "fanoutcloud/edge/transports/history.py": "tests/contracts/test_history.py",
    "fanoutcloud/edge/transports/sse.py": "tests/contracts/test_transports.py",
    "fanoutcloud/edge/transports/websocket.py": "tests/contracts/test_transports.py",
    "fanoutcloud/management/commands/edge.py": "tests/deploy/test_cluster.py",
    "fanoutcloud/management/commands/web.py": "tests/deploy/test_cluster.py",
    "fanoutcloud/management/commands/runserver.py": "tests/management/test_loading.py",
    "fanoutcloud/management/commands/serve.py": "tests/test_commands.py",
    "fanoutcloud/management/serving.py": "tests/test_commands.py",
    "fanoutcloud/memory_queue.py": "tests/accounts/test_task_queue.py",
    "fanoutcloud/plane.py": "tests/contracts/test_transports.py",
    "fanoutcloud/way_out.py": "tests/realms/test_proofs.py",
    "fanoutcloud/quotas.py": "tests/flows/test_limits.py",
    "onboarding/tasks.py": "tests/onboarding/status/test_services.py",
    "onboarding/snippet_texts.py": "tests/flows/test_snippets.py",
    "onboarding/visitors.py": "tests/onboarding/test_sandbox_views.py",
    "onboarding/keeping.py": "tests/onboarding/test_sandbox_views.py",
    "realms/models/sandboxes.py": "tests/realms/services/test_sandboxes.py",
    "realms/sandbox_errors.py": "tests/realms/services/test_sandboxes.py",
    "realms/services/sandbox_rules.py": "tests/realms/services/test_sandboxes.py",
    "onboarding/adapter.py": "tests/accounts/test_views.py",
    "onboarding/forms.py": "tests/onboarding/test_views.py",
    "onboarding/models.py": "tests/onboarding/test_consumers.py",
    "onboarding/sending.py": "tests/onboarding/test_views.py",
    "publishing/api/threads.py": "tests/publishing/api/test_over_asgi.py",
    "publishing/api/planes.py": "tests/publishing/api/test_items.py",
    "publishing/api/framework.py": "declarations",
    "publishing/api/compatible_paths.py": "tests/publishing/api/test_schema.py",
    "publishing/api/device_login_paths.py": "tests/realms/views/test_device_logins.py",
    "fanoutcloud/core/why.py": "declarations",
    "fanoutcloud/edge/reporting/accounting.py": "tests/edge/reporting/test_outcomes.py",
    "publishing/api/why.py": "tests/flows/test_why.py",
    "publishing/compatible/nowhere.py": "tests/flows/test_why.py",
    "publishing/why/answers.py": "declarations",
    "publishing/why/explaining.py": "tests/flows/test_why.py",
    "publishing/why/findings.py": "tests/flows/test_why.py",
    "publishing/why/texts.py": "declarations",
    "publishing/why/timeline.py": "tests/flows/test_why.py",
    "publishing/console/why.py": "tests/flows/test_why.py",
    "publishing/console/forms.py": "tests/publishing/console/test_connections.py",
    "publishing/webhooks/delivery_views.py": "tests/publishing/webhooks/test_views.py",
    "publishing/webhooks/forms.py": "tests/publishing/webhooks/test_views.py",
    "publishing/inspector/errors.py": "tests/publishing/inspector/test_services.py",
    "publishing/tasks.py": "tests/publishing/api/test_resources.py",
    "publishing/api/conditions.py": "tests/publishing/api/test_resources.py",
    "publishing/api/documents.py": "tests/publishing/api/test_schema.py",
    "publishing/api/idempotency.py": "tests/publishing/api/test_resources.py",
    "publishing/api/json_bodies.py": "tests/publishing/api/test_resources.py",
    "publishing/api/keys.py": "tests/publishing/api/test_realms.py",
    "publishing/api/me.py": "tests/publishing/api/test_authentication.py",
    "publishing/api/operations.py": "tests/publishing/api/test_crossing.py",
    "publishing/api/paging.py": "tests/publishing/api/test_resources.py",
    "publishing/api/problems.py": "tests/publishing/api/test_resources.py",
    "publishing/api/serializers.py": "tests/publishing/api/test_resources.py",
    "publishing/api/throttling.py": "tests/publishing/api/test_resources.py",
    "realms/access_forms.py": "tests/realms/views/test_access.py",
    "realms/services/token_making.py": "tests/realms/test_access.py",
    "realms/actors.py": "tests/publishing/api/test_authentication.py",
    "realms/rule_settings.py": "tests/realms/services/test_rules.py",
    "realms/models/api_tokens.py": "tests/publishing/api/test_authentication.py",
    "realms/roles.py": "tests/publishing/api/test_crossing.py",
    "realms/services/api_tokens.py": "tests/publishing/api/test_tokens.py",
    "realms/scopes.py": "tests/publishing/api/test_crossing.py",
    "publishing/reference.py": "tests/publishing/test_views.py",
    "realms/membership_errors.py": "tests/realms/test_members.py",
    "realms/views/api_tokens.py": "tests/realms/test_api_token_pages.py",
    "realms/announcements.py": "tests/realms/services/test_realms.py",
    "realms/domain_forms.py": "tests/realms/views/test_domains.py",
    "realms/domain_documents.py": "tests/realms/test_snapshots.py",
    "publishing/answers.py": "tests/publishing/test_endpoint.py",
    "publishing/compatible/requests.py": "tests/publishing/compatible/test_origins.py",
    "realms/services/origins.py": "tests/publishing/compatible/test_origins.py",
    "realms/tasks.py": "tests/realms/services/test_proving.py",
    "realms/errors.py": "tests/realms/services/test_realms.py",
    "realms/management/commands/realm_limits.py": "tests/realms/services/test_limits.py",
    "realms/forms.py": "tests/realms/views/test_realms.py",
    "realms/http.py": "tests/realms/views/test_realms.py",
    "realms/hosts.py": "tests/realms/test_domain_names.py",
    "realms/loading_cache.py": "tests/realms/test_directory.py",
    "realms/models/domains.py": "tests/realms/services/test_domains.py",
    "realms/models/keys.py": "tests/realms/services/test_keys.py",
    "realms/models/realms.py": "tests/realms/services/test_realms.py",
    "realms/services/labels.py": "tests/realms/services/test_realms.py",
    "realms/services/locking.py": "tests/realms/test_races.py",
    "realms/views/pages.py": "tests/realms/views/test_realms.py",
}
#: Declarations and wiring in every app.
NOTHING_TO_TEST = {"__init__.py", "apps.py", "urls.py", "wsgi.py"}


def our_modules() -> list[Path]:
    """Return our Python files without migrations, which are written by Django and never changed."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def our_texts() -> Iterator[tuple[str, str]]:
    """Yield name and text of each committed file that people write."""
    for name in committed_files.committed_names():
        path = ROOT / name
        if path.suffix in {".py", ".js", ".css", ".html", ".sh", ".toml", ".yaml", ".c"} and path.is_file():
            yield name, path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def all_python_files() -> list[Path]:
    """Return our modules, the tests and what deploys."""
    return our_modules() + sorted(path for folder in ("tests", "deploy") for path in (ROOT / folder).rglob("*.py"))


def functions_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function of a file as `path::name` with its lines, from `def` to its end."""
    blocks: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while blocks:
        for node in ast.iter_child_nodes(blocks.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name_of(path)}::{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1
            if not isinstance(node, ast.expr):  # no expression holds a `def`
                blocks.append(node)


def has_test_of_its_own(path: Path) -> bool:
    """Whether the mirror of this module in tests/ has `test_<module>.py`, or `test_<module>_<what>.py`."""
    inside = path.relative_to(ROOT)
    parts = inside.parts[1:-1] if inside.parts[0] == "fanoutcloud" else inside.parts[:-1]
    mirrors = [ROOT.joinpath("tests", *parts), ROOT.joinpath("tests", *parts[:1])]
    names = (f"test_{path.stem}.py", f"test_{path.stem}_*.py")
    return any(any(folder.glob(name)) for folder in mirrors for name in names)


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_no_file_is_longer_than_400_lines() -> None:
    long = {name_of(path) for path in all_python_files() if len(path.read_text().splitlines()) > MAX_FILE_LINES}

    assert long == set(LONG_FILES)


def test_no_function_is_longer_than_40_lines() -> None:
    long = {name for path in all_python_files() for name, count in functions_of(path) if count > MAX_FUNCTION_LINES}

    assert long == set(LONG_FUNCTIONS)


def test_modules_are_named_for_what_they_hold() -> None:
    names = {
        name_of(path) for path in our_modules() for part in (path.stem, *path.parts) if part in NAMES_THAT_SAY_NOTHING
    }

    assert names == set()


def test_every_module_has_a_test_module_or_names_the_test_that_covers_it() -> None:
    modules = [path for path in our_modules() if path.name not in NOTHING_TO_TEST]
    without = {name_of(path) for path in modules if not has_test_of_its_own(path)}

    nameless = sorted(without - set(NO_TEST_OF_ITS_OWN))
    assert nameless == [], f"write a test module, or name the one that covers it: {', '.join(nameless)}"


def test_the_list_of_exceptions_is_true() -> None:
    gone = [name for name in NO_TEST_OF_ITS_OWN if not (ROOT / name).exists() or has_test_of_its_own(ROOT / name)]
    tests = [text for text in NO_TEST_OF_ITS_OWN.values() if text.startswith("tests/")]

    assert gone == []
    assert [text for text in tests if not (ROOT / text).exists()] == []


@pytest.mark.parametrize("path", [p for p in our_modules() if "views" in p.stem or "views" in p.parts], ids=name_of)
def test_views_ask_selectors_and_never_a_model_itself(path: Path) -> None:
    """One door per realm: `access_realm`. A query in a view is where another realm's row slips through."""
    assert ".objects" not in path.read_text()


def test_comments_in_templates_end_on_their_line() -> None:
    """Django shows those that do not to everybody."""
    lines = (line for path in (ROOT / "templates").rglob("*.html") for line in path.read_text().splitlines())

    assert [line for line in lines if "{#" in line and "#}" not in line] == []


def test_every_todo_names_an_issue() -> None:
    nameless = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b(?!\(#\d+\):)")

    assert [name for name, text in our_texts() if nameless.search(text)] == []


def test_no_committed_file_names_a_machine_or_a_registry() -> None:
    assert list(committed_files.find_faults()) == []
