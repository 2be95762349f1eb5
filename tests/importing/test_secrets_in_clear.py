"""What is taken for a secret in a proposal that will be committed, and what is not."""

from __future__ import annotations

import pytest

from pipelines.importing.secrets_in_clear import AT_RANDOM, BY_ADDRESS, BY_NAME, BY_SETTING, REFUSED, why_secret

BASE64_16_BYTES = "q83vEjRWeJCrze8SNFZ4kA=="
BASE64_32_BYTES = "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs="
HEX_32_DIGITS = "1739555e5b231057f0f9a0b5fa29511b"
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
COMMIT = "3d3c42e5aac5ba805825da76410c181273ba90b1"
CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{BASE64_32_BYTES}\n-----END CERTIFICATE-----"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("DB_PASSWORD", "x", REFUSED),
        ("URL", "redis://:hunter2@cache:6379", REFUSED),
        ("NOTE", "vault:kv/elsewhere#x", REFUSED),
        ("SENTRY_KEY", "examplekey", BY_NAME),
        ("ENCRYPTION_KEY", "0123", BY_NAME),
        ("SMTP_PASS", "hunter2", BY_NAME),
        ("smtpPass", "$hunter2", BY_NAME),
        ("KEYS", "one,two", BY_NAME),
        ("TOKEN_SERVICE_ADDR", "token-service:8080", REFUSED),  # the validator's decision
        ("APP_CREDS", "x", BY_NAME),
        ("SENTRY_DSN", "https://examplekey@errors.example.com/1", BY_NAME),
        ("CACHE_KEY", "products", BY_NAME),  # a false positive that is known
        ("DATABASE", "shop:hunter2@tcp(db:3306)/shop", BY_ADDRESS),
        ("DATABASE", "shop:hunt/er2@db/shop", BY_ADDRESS),
        ("LOGIN", "curl -u shop:hunter2@example.com", BY_ADDRESS),
        ("DATABASE", "host=db user=shop password=hunter2", BY_SETTING),
        ("DATABASE", "jdbc:postgresql://db/shop?user=shop&pass=hunter2", BY_SETTING),
        ("JAVA_OPTS", "-Xmx1g -Djavax.net.ssl.keyStorePassword=changeit", BY_SETTING),
        ("SETTINGS", '{"size": 3, "apiKey": "x"}', BY_SETTING),
        ("SEED", BASE64_16_BYTES, AT_RANDOM),
        ("SEED", f"v1:{BASE64_32_BYTES}", AT_RANDOM),
        ("SEED", HEX_32_DIGITS, AT_RANDOM),
        ("HOOK", "https://hooks.example.com/services/T024BE7LD/Xk3VbQ9sLz0PqR7tYw2N", AT_RANDOM),
        ("SEED", COMMIT, AT_RANDOM),  # nothing tells it from a key
    ],
)
def test_a_doubt_is_enough(name: str, value: str, why: str) -> None:
    """By the validator's rules, by a word of the name, by what is in the value, by how it looks."""
    assert why_secret(name, value) == why


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", ""),
        ("SHOW_KEYS", "true"),
        ("KEYBOARD", "us"),
        ("BYPASS", "none"),
        ("MONKEYS", "12"),
        ("TOKEN_URL", "https://id.example.com/oauth2/token"),
        ("KEYS_ENDPOINT", "https://id.example.com/oauth2/keys"),
        ("KEY_SERVICE_ADDR", "key-service:8080"),
        ("CREDENTIAL_SERVICE_URL", "credential-service:8080"),
        ("TLS_KEY_PATH", "/etc/tls/tls.key"),
        ("DSN", "postgresql://db:5432/shop"),
        ("URL", "https://shop.example.com:8443/a/@scope/b?size=3&page=x"),
        ("CART_ADDR", "cart:7070"),
        ("IMAGE", f"registry.example.com:5000/shop/cart:v1.4.2@{DIGEST}"),
        ("DIGEST", DIGEST),
        ("GIT_COMMIT", COMMIT),
        ("IMAGE_SHA256", DIGEST.removeprefix("sha256:")),
        ("TENANT", "7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ("TRUSTED", CERTIFICATE),
        ("SUPPORT", "mailto:help@example.com"),
        ("SENDER", '{"from":"shop@example.com","size":"3"}'),
        ("JAVA_OPTS", "-Xmx1g -Dpassword=${DB_PASSWORD}"),
        ("REGIONS", "eu-west-1,eu-central-1,us-east-2"),
        ("ZONES", "/usr/share/zoneinfo/Europe/Berlin/2024"),
        ("SINCE", "2024-01-01T10:30:00Z"),
        ("SCHEDULE", "0 */6 * * *"),
        ("HANDLER", "com.example.shop.catalog.ProductCatalogServiceV2"),
        ("NUMBER", "12345678901234567890123456789012345"),
        ("LEVELS", "ff00" * 8),
    ],
)
def test_what_is_harmless_stays(name: str, value: str) -> None:
    """Addresses without a password, digests, commits by name, UUIDs, certificates, words, numbers."""
    assert why_secret(name, value) is None
