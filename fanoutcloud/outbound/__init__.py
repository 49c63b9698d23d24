"""The one way out to addresses that tenants choose: origins, webhooks, domain challenges, key sets."""
