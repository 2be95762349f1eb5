-- What checkoutservice writes: an order and its lines.
-- adx: phase=expand
-- adx: created=2026-01-12
CREATE TABLE orders (
    order_id uuid PRIMARY KEY,
    placed_at timestamptz NOT NULL DEFAULT now(),
    shipping_country text NOT NULL,
    total text
);

CREATE TABLE order_lines (
    order_id uuid NOT NULL REFERENCES orders (order_id),
    product_id text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
);

CREATE INDEX orders_placed_at ON orders (placed_at);
