-- "12.50 EUR" cannot be summed: the amount in the currency's smallest unit, and the currency, each in a column.
-- adx: phase=expand
-- adx: compatible=1
-- adx: created=2026-02-02
-- adx: lock_timeout_ms=2000
ALTER TABLE orders
    ADD COLUMN total_units bigint,
    ADD COLUMN currency text;
