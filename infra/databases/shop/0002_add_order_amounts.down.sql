ALTER TABLE orders
    DROP COLUMN total_units,
    DROP COLUMN currency;
