from django.db import migrations


def add_endpoints(apps, schema_editor):
    """Give each URL that the compatible API has called so far its endpoint."""
    RequestSubscription = apps.get_model("realms", "RequestSubscription")
    WebhookEndpoint = apps.get_model("publishing", "WebhookEndpoint")
    batch = []
    for row in RequestSubscription.objects.order_by("pk").iterator():
        batch.append(
            WebhookEndpoint(
                realm_id=row.realm_id,
                subscription_id=row.pk,
                url=row.url,
                patterns=[row.channel],
                events=["channel.message"],
                format="http-request",
            )
        )
        if len(batch) == 500:
            WebhookEndpoint.objects.bulk_create(batch)
            batch = []
    WebhookEndpoint.objects.bulk_create(batch)


class Migration(migrations.Migration):
    dependencies = [("publishing", "0001_webhooks")]
    operations = [migrations.RunPython(add_endpoints, migrations.RunPython.noop)]
