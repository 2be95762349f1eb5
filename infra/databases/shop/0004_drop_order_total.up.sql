-- Nobody reads or writes the text any more.
-- adx: phase=contract
-- adx: requires=2
-- adx: compatible=2
-- adx: created=2026-03-02
-- adx: lock_timeout_ms=2000
ALTER TABLE orders DROP COLUMN total;
