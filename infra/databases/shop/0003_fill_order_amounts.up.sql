-- Orders that were placed before checkoutservice wrote both.
-- adx: phase=backfill
-- adx: compatible=1
-- adx: created=2026-02-09
-- adx: tables=orders
UPDATE orders
SET total_units = round(split_part(total, ' ', 1)::numeric * 100)::bigint,
    currency = split_part(total, ' ', 2)
WHERE total_units IS NULL AND total IS NOT NULL;
