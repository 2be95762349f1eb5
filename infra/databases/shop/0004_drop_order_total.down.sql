ALTER TABLE orders ADD COLUMN total text;

UPDATE orders
SET total = to_char(total_units / 100.0, 'FM999999999990.00') || ' ' || currency
WHERE total_units IS NOT NULL;
